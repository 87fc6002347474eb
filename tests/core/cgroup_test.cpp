#include "limbic/core/cgroup.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/temporary.h"

using namespace limbic;

namespace {

// Where /proc and /sys/fs/cgroup are played.
struct Machine : testing::TemporaryFolder {
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name) << text;
  }
};

}  // namespace

TEST_CASE("cgroup: the smallest quota of the process's own group and of all above it") {
  const Machine machine;
  const auto cores = [&] { return cgroup_cores(machine / "proc", machine / "sys"); };
  CHECK(cores() > 1000000);
  machine.put("proc/self/cgroup", "0::/user.slice/job\n");
  machine.put("sys/user.slice/job/cpu.max", "max 100000\n");
  CHECK(cores() > 1000000);
  machine.put("sys/user.slice/job/cpu.max", "350000 100000\n");
  CHECK(cores() == 4);
  machine.put("sys/user.slice/cpu.max", "200000 100000\n");
  CHECK(cores() == 2);
  machine.put("sys/cpu.max", "50000 100000\n");
  CHECK(cores() == 1);
  std::filesystem::remove_all(machine / "sys");
  machine.put("proc/self/cgroup", "12:pids:/x\n4:cpu,cpuacct:/a/b\n");
  machine.put("sys/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  machine.put("sys/cpu/a/b/cpu.cfs_period_us", "100000\n");
  machine.put("sys/cpu/a/cpu.cfs_quota_us", "300000\n");
  machine.put("sys/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(cores() == 3);
}

TEST_CASE("cgroup: memory is what the tightest limit leaves, counting what would be given up") {
  const Machine machine;
  const auto memory = [&] { return cgroup_memory(machine / "proc", machine / "sys"); };
  CHECK(memory() == std::numeric_limits<int64_t>::max());
  machine.put("proc/self/cgroup", "0::/user.slice/job\n");
  machine.put("sys/user.slice/job/memory.max", "max\n");
  machine.put("sys/user.slice/job/memory.current", "300\n");
  CHECK(memory() == std::numeric_limits<int64_t>::max());
  machine.put("sys/user.slice/job/memory.max", "1000\n");
  CHECK(memory() == 700);
  machine.put("sys/user.slice/job/memory.stat", "anon 200\nfile 100\ninactive_file 60\n");
  CHECK(memory() == 760);
  machine.put("sys/user.slice/memory.max", "800\n");
  machine.put("sys/user.slice/memory.current", "900\n");
  CHECK(memory() == 0);
  std::filesystem::remove_all(machine / "sys");
  machine.put("proc/self/cgroup", "12:pids:/x\n4:memory:/a/b\n");
  machine.put("sys/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  machine.put("sys/memory/a/b/memory.usage_in_bytes", "500\n");
  machine.put("sys/memory/a/memory.limit_in_bytes", "5000\n");
  machine.put("sys/memory/a/memory.usage_in_bytes", "1000\n");
  machine.put("sys/memory/a/memory.stat", "total_inactive_file 250\n");
  CHECK(memory() == 4250);
  CHECK(available_memory() > 0);
}
