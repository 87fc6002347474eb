#include "limbic/core/cgroup.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/temporary.h"

using namespace limbic;

TEST_CASE("cgroup: the smallest quota of the process's own group and of all above it") {
  const testing::TemporaryFolder folder;
  const auto put = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    std::ofstream(folder / name) << text;
  };
  const auto cores = [&] { return cgroup_cores(folder / "proc", folder / "sys"); };
  CHECK(cores() > 1000000);
  put("proc/self/cgroup", "0::/user.slice/job\n");
  put("sys/user.slice/job/cpu.max", "max 100000\n");
  CHECK(cores() > 1000000);
  put("sys/user.slice/job/cpu.max", "350000 100000\n");
  CHECK(cores() == 4);
  put("sys/user.slice/cpu.max", "200000 100000\n");
  CHECK(cores() == 2);
  put("sys/cpu.max", "50000 100000\n");
  CHECK(cores() == 1);
  std::filesystem::remove_all(folder / "sys");
  put("proc/self/cgroup", "12:pids:/x\n4:cpu,cpuacct:/a/b\n");
  put("sys/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  put("sys/cpu/a/b/cpu.cfs_period_us", "100000\n");
  put("sys/cpu/a/cpu.cfs_quota_us", "300000\n");
  put("sys/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(cores() == 3);
}
