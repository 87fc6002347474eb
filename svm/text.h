#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::svm {

/// A text file read line by line and word by word, independent of the locale. Errors begin with
/// "PATH:LINE: ".
class LineReader {
 public:
  explicit LineReader(const std::string& path);

  /// Goes to the next line; false at the end of the file.
  bool next_line();
  /// The next word of the line, empty at its end.
  std::string_view word();
  bool at_end_of_line();

  /// `text` as a number, nothing where it is none.
  static std::optional<double> parsed(std::string_view text);
  /// `text` as a finite number; throws Error naming `what`.
  double number(std::string_view text, const char* what) const;
  /// `text`, digits alone, as an index of a feature; throws Error.
  int64_t index(std::string_view text) const;
  /// `text` as a whole number in [low, high]; throws Error naming `what`.
  int64_t whole(std::string_view text, const char* what, int64_t low, int64_t high) const;

  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    fail(path_, ":", line_number_, ": ", args...);
  }

  int64_t bytes() const { return static_cast<int64_t>(content_.size()); }

 private:
  std::string path_;
  std::vector<uint8_t> content_;
  std::string_view rest_, line_;
  int64_t line_number_ = 0;
};

/// Rows of "index:value" pairs, growing.
class SparseRows {
 public:
  /// Column 0 is index `first_index`, 1 or 0; it becomes 0 where a row has such an index.
  explicit SparseRows(int first_index) : first_index_(first_index) {}
  /// Reads the rest of the reader's line as one row, up to a comment ("# ..."). Unless `wide`, a
  /// value beyond f32 is refused.
  void add_row(LineReader& reader, bool wide = false);
  int64_t rows() const { return static_cast<int64_t>(row_end_.size()); }
  int first_index() const { return first_index_; }
  /// The first feature of which single precision moves a value by more than a thousandth of what
  /// lies between its least and its largest, -1 if there is none.
  int64_t coarse_feature() const;
  /// Rows whose columns are the indices from first_index() to last_index or the file's largest, F32
  /// or F64. Throws Error beginning with `path` over budget, before anything is allocated.
  Tensor dense(int64_t last_index, int64_t budget_bytes, const std::string& path,
               DType dtype = DType::f32) const;

 private:
  struct Entry {
    int32_t index;
    double value;
  };
  std::vector<Entry> entries_;
  std::vector<size_t> row_end_;
  int first_index_;
  int64_t last_index_ = 0;
};

/// `value` with this many significant digits, as printf's %.*g in the C locale.
std::string format_number(double value, int digits);

/// " index:value" for each value of a row that is not 0, indices from `first_index`.
std::string format_row(const float* values, int64_t width, int64_t first_index = 1);

}  // namespace limbic::svm
