#pragma once
#include <string>

namespace limbic::report {

/// The page's style sheet: light and dark, wide and narrow, screen and paper.
std::string page_style();

}  // namespace limbic::report
