#pragma once
#include <CLI/CLI.hpp>
#include <cmath>
#include <string>

namespace limbic::cli {

/// While arguments are read: a finite number of which `allowed` holds, so that anything else is
/// wrong usage.
inline CLI::Validator finite_number(
    const std::string& wanted = "that is finite",
    bool (*allowed)(double) = [](double) { return true; }) {
  return {[wanted, allowed](std::string& text) -> std::string {
            double value = 0;
            if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && allowed(value))
              return {};
            return "expected a number " + wanted + ", got " + text;
          },
          wanted};
}
inline CLI::Validator above_zero() {
  return finite_number("> 0", [](double x) { return x > 0; });
}
inline CLI::Validator not_negative() {
  return finite_number(">= 0", [](double x) { return x >= 0; });
}
/// Megabytes whose number of bytes an int64_t holds.
inline CLI::Validator megabytes() {
  return finite_number("> 0 and <= 1e12", [](double x) { return x > 0 && x <= 1e12; });
}

}  // namespace limbic::cli
