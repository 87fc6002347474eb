#pragma once
#include <CLI/CLI.hpp>
#include <cmath>
#include <string>

namespace limbic::cli {

/// While arguments are read: a finite number that is > 0 (or >= 0), so that anything else is wrong
/// usage.
inline CLI::Validator finite_number(const std::string& wanted, bool zero_too) {
  return {[wanted, zero_too](std::string& text) -> std::string {
            double value = 0;
            const bool number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
            if (number && (value > 0 || (zero_too && value == 0))) return {};
            return "expected a number " + wanted + ", got " + text;
          },
          wanted};
}
inline CLI::Validator above_zero() { return finite_number("> 0", false); }
inline CLI::Validator not_negative() { return finite_number(">= 0", true); }

}  // namespace limbic::cli
