#pragma once
#include <initializer_list>
#include <optional>
#include <string_view>

namespace limbic::emotion {

/// What stands behind "PART-" and 16 hexadecimal digits, where a name begins so with one of
/// `parts`.
inline std::optional<std::string_view> after_hash(std::string_view name,
                                                  std::initializer_list<std::string_view> parts) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::string_view part : parts) {
    const size_t end = part.size() + 1 + 16;
    if (name.size() < end || !name.starts_with(part) || name[part.size()] != '-') continue;
    const std::string_view hash = name.substr(part.size() + 1, 16);
    if (hash.find_first_not_of(digits) == hash.npos) return name.substr(end);
  }
  return {};
}

}  // namespace limbic::emotion
