#pragma once
#include <string>

namespace limbic {

/// "AMD EPYC 9R45", as the operating system names it.
std::string processor_name();

}  // namespace limbic
