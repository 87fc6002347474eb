#include "limbic/core/cgroup.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace limbic {
namespace {

constexpr int unlimited = 1 << 20;

int rounded_up(double quota, double period) {
  if (!(quota > 0 && period > 0)) return unlimited;
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, double{unlimited}));
}

// "QUOTA PERIOD" or "max PERIOD" in cpu.max (version 2), a number each in two files (version 1).
int cores_of(const std::string& folder) {
  double quota = 0, period = 0;
  if (std::ifstream v2(folder + "/cpu.max"); v2 >> quota >> period)
    return rounded_up(quota, period);
  std::ifstream q(folder + "/cpu.cfs_quota_us"), p(folder + "/cpu.cfs_period_us");
  return q >> quota && p >> period ? rounded_up(quota, period) : unlimited;
}

// The quota of a group and of all that it is in. In a container the path may be the host's and not
// be there: then only the root counts, which is the container's.
int cores_up_from(const std::string& root, std::string group) {
  int cores = cores_of(root);
  for (; group.size() > 1; group.resize(group.find_last_of('/')))
    cores = std::min(cores, cores_of(root + group));
  return cores;
}

}  // namespace

int cgroup_cores(const std::string& proc, const std::string& sys) {
  int cores = std::min(cores_of(sys), cores_of(sys + "/cpu"));
  std::ifstream groups(proc + "/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/a/b" or "4:cpu,cpuacct:/a/b"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (!group.starts_with('/')) continue;
    if (controllers == ",,") cores = std::min(cores, cores_up_from(sys, group));
    if (controllers.find(",cpu,") != std::string::npos)
      cores = std::min(cores, cores_up_from(sys + "/cpu", group));
  }
  return cores;
}

}  // namespace limbic
