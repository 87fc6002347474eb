#include "limbic/svm/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

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

int64_t LineReader::whole(std::string_view text, const char* what, int64_t low,
                          int64_t high) const {
  const double value = number(text, what);
  if (value != std::floor(value) || value < static_cast<double>(low) ||
      value > static_cast<double>(high))
    refuse("expected ", what, ", a whole number from ", low, " to ", high, ", got ", shown(text));
  return static_cast<int64_t>(value);
}

void SparseRows::add_row(LineReader& reader, bool wide) {
  int64_t before = first_index_ - 1;
  while (!reader.at_end_of_line()) {
    const std::string_view pair = reader.word();
    if (pair[0] == '#') break;
    const size_t colon = pair.find(':');
    if (colon == std::string_view::npos) reader.refuse("expected index:value, got ", shown(pair));
    const int64_t index = reader.whole(pair.substr(0, colon), "an index", first_index_, INT32_MAX);
    if (index <= before) reader.refuse("indices must ascend, got ", index, " after ", before);
    before = index;
    // LIBSVM lets blanks follow the colon.
    const bool apart = colon + 1 == pair.size() && !reader.at_end_of_line();
    const double value = reader.number(apart ? reader.word() : pair.substr(colon + 1), "a value");
    if (!wide && std::abs(value) >= float_limit)
      reader.refuse("expected a value of single precision, got ", value);
    entries_.push_back({static_cast<int32_t>(index), value});
  }
  width_ = std::max(width_, before - first_index_ + 1);
  row_end_.push_back(entries_.size());
}

Tensor SparseRows::dense(int64_t min_features, int64_t budget_bytes, const std::string& path,
                         DType dtype) const {
  const int64_t width = std::max(min_features, width_);
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
