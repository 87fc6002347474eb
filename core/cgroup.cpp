#include "limbic/core/cgroup.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <vector>

namespace limbic {
namespace {

constexpr int many_cores = 1 << 20;
constexpr int64_t much_memory = std::numeric_limits<int64_t>::max();

// The folders of this process's group of `controller` and of all that it is in. In a container the
// path may be the host's and not be there: then only the root counts, which is the container's.
std::vector<std::string> folders_of(const std::string& controller, const std::string& proc,
                                    const std::string& sys) {
  std::vector<std::string> out = {sys, sys + "/" + controller};
  std::ifstream groups(proc + "/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/a/b" or "4:cpu,cpuacct:/a/b"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string group = line.substr(second + 1);
    const bool v2 = controllers == ",,";
    if (!group.starts_with('/') ||
        !(v2 || controllers.find("," + controller + ",") != std::string::npos))
      continue;
    for (; group.size() > 1; group.resize(group.find_last_of('/')))
      out.push_back((v2 ? sys : sys + "/" + controller) + group);
  }
  return out;
}

int rounded_up(double quota, double period) {
  if (!(quota > 0 && period > 0)) return many_cores;
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, double{many_cores}));
}

// "QUOTA PERIOD" or "max PERIOD" in cpu.max (version 2), a number each in two files (version 1).
int cores_of(const std::string& folder) {
  double quota = 0, period = 0;
  if (std::ifstream v2(folder + "/cpu.max"); v2 >> quota >> period)
    return rounded_up(quota, period);
  std::ifstream q(folder + "/cpu.cfs_quota_us"), p(folder + "/cpu.cfs_period_us");
  return q >> quota && p >> period ? rounded_up(quota, period) : many_cores;
}

// What is used of a limit is less the pages of files that would be given up first.
int64_t memory_of(const std::string& folder, const char* limit_file, const char* used_file,
                  const std::string& given_up) {
  int64_t limit = 0, used = 0;
  std::ifstream l(folder + limit_file), u(folder + used_file), stat(folder + "/memory.stat");
  if (!(l >> limit && u >> used)) return much_memory;  // "max", or no such files
  for (std::string key, value; stat >> key >> value;)
    if (key == given_up) used -= std::min<int64_t>(used, std::atoll(value.c_str()));
  return std::max<int64_t>(0, limit - used);
}

}  // namespace

int cgroup_cores(const std::string& proc, const std::string& sys) {
  int cores = many_cores;
  for (const std::string& folder : folders_of("cpu", proc, sys))
    cores = std::min(cores, cores_of(folder));
  return cores;
}

int64_t cgroup_memory(const std::string& proc, const std::string& sys) {
  int64_t bytes = much_memory;
  for (const std::string& folder : folders_of("memory", proc, sys))
    bytes = std::min({bytes, memory_of(folder, "/memory.max", "/memory.current", "inactive_file"),
                      memory_of(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                "total_inactive_file")});
  return bytes;
}

int64_t available_memory() {
  int64_t bytes = int64_t{4} << 30;  // where the system does not say
  std::ifstream info("/proc/meminfo");
  for (std::string key, rest; info >> key && std::getline(info, rest);)
    if (key == "MemAvailable:") bytes = std::atoll(rest.c_str()) * 1024;
  return std::min(bytes, cgroup_memory());
}

}  // namespace limbic
