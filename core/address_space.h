#pragma once
#include <cstdint>
#include <string>

namespace limbic {

/// Whether this process has a limit of it (`ulimit -v`).
bool address_space_is_limited();

/// For libraries that do not look whether the system gave them memory. Throws Error where a limit
/// on this process's address space (`ulimit -v`) leaves less than `bytes`, which `who` needs; where
/// there is no limit, nothing is asked.
void require_address_space(int64_t bytes, const std::string& who);

}  // namespace limbic
