#pragma once
#include <string>

#include "limbic/core/tensor.h"

namespace limbic::train {

/// Rows of equal length on a disk, written in order and read in any. Each carries a checksum; how
/// many are whole stands in a small file beside it, so that a run that was killed goes on there.
class RowFile {
 public:
  /// `rows` of `values` numbers, kept as f32 or bf16. Its space on the disk is taken at once: a
  /// disk that is too full is an Error before the work.
  RowFile(const std::string& path, int64_t rows, int64_t values, DType dtype);
  ~RowFile();
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  static int64_t bytes(int64_t rows, int64_t values, DType dtype);

  int64_t done() const { return done_; }  ///< Rows that are there.
  int64_t rows() const { return rows_; }
  /// Appends (n, values) f32. Throws Error.
  void append(const Tensor& block);
  /// Row -> `values` floats. Throws Error where it is damaged.
  void read(int64_t row, float* into) const;

 private:
  int64_t row_bytes() const;
  void write_done() const;

  std::string path_;
  int64_t rows_, values_, done_ = 0;
  DType dtype_;
  int file_ = -1;
};

}  // namespace limbic::train
