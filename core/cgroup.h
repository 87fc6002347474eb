#pragma once
#include <cstdint>
#include <string>

namespace limbic {

/// Cores that control groups grant this process: the smallest quota of its own group and of all
/// above it, rounded up; a large number where there is none. `proc` and `sys` stand for "/proc" and
/// "/sys/fs/cgroup". Reads version 2 and version 1. Source: Linux, cgroup-v2.rst (cpu.max) and
/// sched-bwc.rst (cpu.cfs_quota_us).
int cgroup_cores(const std::string& proc = "/proc", const std::string& sys = "/sys/fs/cgroup");
/// Bytes that control groups leave this process: the smallest difference of a limit and what its
/// group uses; a large number where there is no limit. Source: cgroup-v2.rst (memory.max),
/// memory.rst (memory.limit_in_bytes).
int64_t cgroup_memory(const std::string& proc = "/proc", const std::string& sys = "/sys/fs/cgroup");

/// Bytes that this process can have without swapping: what the machine has available and its
/// control groups allow.
int64_t available_memory();

}  // namespace limbic
