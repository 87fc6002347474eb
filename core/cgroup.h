#pragma once
#include <string>

namespace limbic {

/// Cores that control groups grant this process: the smallest quota of its own group and of all
/// above it, rounded up; a large number where there is none. `proc` and `sys` stand for "/proc" and
/// "/sys/fs/cgroup". Reads version 2 and version 1. Source: Linux, cgroup-v2.rst (cpu.max) and
/// sched-bwc.rst (cpu.cfs_quota_us).
int cgroup_cores(const std::string& proc = "/proc", const std::string& sys = "/sys/fs/cgroup");

}  // namespace limbic
