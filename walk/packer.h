#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace limbic::walk {

/// Arrays one behind the other, for a page to read: of each number's bytes first all lowest ones,
/// then all second ones, as these compress best; deflated, in base64. What an `add` gives says
/// where its array lies: [first byte, numbers, kind, scale], kind 4: f32, 2: whole numbers of 16
/// bits times the scale, 1: of 8 bits from 0 on. Equal arrays are held once.
class Packer {
 public:
  using Json = nlohmann::ordered_json;

  Json add(std::span<const float> values);
  /// Rounded to 1/32767 of the largest magnitude.
  Json add_rounded(std::span<const float> values);
  Json add_bytes(std::span<const uint8_t> values);
  /// Throws Error where zlib does.
  std::string base64() const;

 private:
  Json append(const void* values, size_t n, size_t width, double scale);

  std::vector<uint8_t> bytes_;
  std::map<std::pair<std::string, double>, size_t> held_;  ///< By content: where it begins.
};

}  // namespace limbic::walk
