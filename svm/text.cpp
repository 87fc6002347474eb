#include "limbic/svm/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "limbic/core/file.h"
#include "limbic/svm/products.h"

namespace limbic::svm {
namespace {

constexpr double float_limit = 0x1.ffffffp127;  // rounds to infinity, anything below to a float
constexpr std::string_view blanks = " \t\r\v\f";

// For messages: at most 40 bytes, printable.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 40)) out += c >= 32 && c < 127 ? c : '?';
  return "'" + out + (text.size() > 40 ? "...'" : "'");
}

}  // namespace

LineReader::LineReader(const std::string& path)
    : path_(path),
      content_(read_file(path)),
      rest_(reinterpret_cast<const char*>(content_.data()), content_.size()) {}

bool LineReader::next_line() {
  if (rest_.empty()) return false;
  const size_t end = rest_.find('\n');
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  ++line_number_;
  return true;
}

bool LineReader::at_end_of_line() {
  line_.remove_prefix(std::min(line_.find_first_not_of(blanks), line_.size()));
  return line_.empty();
}

std::string_view LineReader::word() {
  at_end_of_line();
  const std::string_view out = line_.substr(0, line_.find_first_of(blanks));
  line_.remove_prefix(out.size());
  return out;
}

std::optional<double> LineReader::parsed(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double LineReader::number(std::string_view text, const char* what) const {
  const auto value = parsed(text);
  if (!value || !std::isfinite(*value))
    refuse("expected ", what, ", a finite number, got ", shown(text));
  return *value;
}

int64_t LineReader::index(std::string_view text) const {
  std::string_view digits = text;
  if (digits.size() > 1 && digits[0] == '+') digits.remove_prefix(1);
  int32_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc{} || end != digits.data() + digits.size() || out < 0)
    refuse("expected an index, a whole number from 0 to ", INT32_MAX, ", got ", shown(text));
  return out;
}

int64_t LineReader::whole(std::string_view text, const char* what, int64_t low,
                          int64_t high) const {
  const double value = number(text, what);
  if (value != std::floor(value) || value < static_cast<double>(low) ||
      value > static_cast<double>(high))
    refuse("expected ", what, ", a whole number from ", low, " to ", high, ", got ", shown(text));
  return static_cast<int64_t>(value);
}

void SparseRows::add_row(LineReader& reader, bool wide) {
  int64_t before = -1;
  while (!reader.at_end_of_line()) {
    const std::string_view pair = reader.word();
    if (pair[0] == '#') break;
    const size_t colon = pair.find(':');
    if (colon == std::string_view::npos) reader.refuse("expected index:value, got ", shown(pair));
    const int64_t index = reader.index(pair.substr(0, colon));
    if (index <= before) reader.refuse("indices must ascend, got ", index, " after ", before);
    before = index;
    // LIBSVM lets blanks follow the colon.
    const bool apart = colon + 1 == pair.size() && !reader.at_end_of_line();
    const double value = reader.number(apart ? reader.word() : pair.substr(colon + 1), "a value");
    if (!wide && std::abs(value) >= float_limit)
      reader.refuse("expected a value of single precision, got ", value);
    if (std::fpclassify(value) == FP_SUBNORMAL)
      reader.refuse("expected a value, 0 or at least 2.2e-308, got ", value);
    if (index == 0) first_index_ = 0;
    entries_.push_back({static_cast<int32_t>(index), value});
  }
  last_index_ = std::max(last_index_, before);
  row_end_.push_back(entries_.size());
}

int64_t SparseRows::coarse_feature() const {
  struct Seen {
    double low = INFINITY, high = -INFINITY, error = 0;
    size_t rows = 0;
  };
  std::map<int32_t, Seen> suspects;  // few: what a float holds only roughly
  const auto error = [](double value) {
    return std::abs(value - double{static_cast<float>(value)});
  };
  for (const Entry& e : entries_)
    if (error(e.value) > 1e-3) suspects[e.index];
  if (suspects.empty()) return -1;
  for (const Entry& e : entries_) {
    const auto found = suspects.find(e.index);
    if (found == suspects.end()) continue;
    Seen& seen = found->second;
    seen = {std::min(seen.low, e.value), std::max(seen.high, e.value),
            std::max(seen.error, error(e.value)), seen.rows + 1};
  }
  for (auto& [index, seen] : suspects) {
    if (seen.rows < row_end_.size())
      seen.low = std::min(seen.low, 0.0), seen.high = std::max(seen.high, 0.0);
    if (seen.error > 1e-3 * (seen.high - seen.low)) return index;
  }
  return -1;
}

Tensor SparseRows::dense(int64_t last_index, int64_t budget_bytes, const std::string& path,
                         DType dtype) const {
  const int64_t width = std::max(last_index, last_index_) - first_index_ + 1;
  const bool wide = dtype == DType::f64;
  const double bytes =
      (wide ? 8.0 : 4.0) * static_cast<double>(rows()) * static_cast<double>(width);
  require_affordable(bytes, budget_bytes,
                     str_cat(path, ": ", rows(), " rows of ", width, " features"));
  Tensor out({rows(), width}, dtype);
  size_t at = 0;
  for (size_t row = 0; row < row_end_.size(); ++row)
    for (; at < row_end_[row]; ++at) {
      const int64_t to = static_cast<int64_t>(row) * width + entries_[at].index - first_index_;
      if (wide)
        out.data<double>()[to] = entries_[at].value;
      else
        out.data()[to] = static_cast<float>(entries_[at].value);
    }
  return out;
}

std::string format_number(double value, int digits) {
  char text[64];
  const auto result =
      std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits);
  return {text, result.ptr};
}

std::string format_row(const float* values, int64_t width, int64_t first_index) {
  std::string out;
  for (int64_t j = 0; j < width; ++j)
    if (values[j] != 0)
      out += " " + std::to_string(j + first_index) + ":" + format_number(values[j], 9);
  return out;
}

}  // namespace limbic::svm
