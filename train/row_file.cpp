#include "limbic/train/row_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "limbic/core/bfloat16.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/random.h"

namespace limbic::train {
namespace {

using Checksum = uint64_t;

// Of the bytes, eight at a time; never that of an empty place on the disk.
Checksum checksum_of(const uint8_t* bytes, size_t size) {
  uint64_t sum = hash_name("row");
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    sum ^= sum >> 29;
  }
  for (; i < size; ++i) sum = (sum ^ bytes[i]) * 0x100000001B3u;
  return sum;
}

}  // namespace

int64_t RowFile::bytes(int64_t rows, int64_t values, DType dtype) {
  return rows * (values * size_of(dtype) + static_cast<int64_t>(sizeof(Checksum)));
}

int64_t RowFile::row_bytes() const { return bytes(1, values_, dtype_); }

RowFile::RowFile(const std::string& path, int64_t rows, int64_t values, DType dtype)
    : path_(path), rows_(rows), values_(values), dtype_(dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, path, ": rows are kept as f32 or bf16");
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  require(file_ >= 0, path, ": cannot open: ", std::strerror(errno));
  const int64_t wanted = rows * row_bytes();
  if (static_cast<int64_t>(std::filesystem::file_size(path, error)) == wanted) {
    std::ifstream in(path + ".done");
    if (!(in >> done_) || done_ < 0 || done_ > rows) done_ = 0;
  }
  const int status = ::posix_fallocate(file_, 0, wanted);
  if (status != 0) {
    ::close(file_);
    std::filesystem::remove(path, error);
    fail(path, ": ", wanted >> 20, " MB cannot be kept: ", std::strerror(status));
  }
}

RowFile::~RowFile() { ::close(file_); }

void RowFile::append(const Tensor& block) {
  const int64_t n = block.dim(0);
  require(done_ + n <= rows_ && block.size() == n * values_, path_, ": expected rows of ", values_,
          " values, got ", to_string(block.shape()));
  std::vector<uint8_t> bytes(static_cast<size_t>(n * row_bytes()));
  for (int64_t i = 0; i < n; ++i) {
    const float* from = block.data() + i * values_;
    uint8_t* to = bytes.data() + i * row_bytes();
    const auto payload = static_cast<size_t>(values_ * size_of(dtype_));
    if (dtype_ == DType::f32)
      std::memcpy(to, from, payload);
    else
      for (int64_t k = 0; k < values_; ++k) {
        const auto narrow = from_f32<BFloat16>(from[k]);
        std::memcpy(to + 2 * k, &narrow, 2);
      }
    const Checksum sum = checksum_of(to, payload);
    std::memcpy(to + payload, &sum, sizeof sum);
  }
  int64_t at = done_ * row_bytes();
  for (size_t written = 0; written < bytes.size();) {
    const ssize_t count = ::pwrite(file_, bytes.data() + written, bytes.size() - written, at);
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, path_, ": cannot write: ", std::strerror(errno));
    written += static_cast<size_t>(count);
    at += count;
  }
  done_ += n;
  write_done();
}

void RowFile::write_done() const {
  const std::string path = path_ + ".done", draft = path + ".new";
  std::ofstream out(draft);
  out << done_ << "\n";
  out.close();
  require(out.good() && std::rename(draft.c_str(), path.c_str()) == 0, path, ": cannot write");
}

void RowFile::read(int64_t row, float* into) const {
  require(row >= 0 && row < done_, path_, ": has no row ", row, ", only ", done_);
  const auto size = static_cast<size_t>(row_bytes());
  std::vector<uint8_t> bytes(size);
  for (size_t have = 0; have < size;) {
    const ssize_t count = ::pread(file_, bytes.data() + have, size - have,
                                  row * row_bytes() + static_cast<int64_t>(have));
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, path_, ": cannot be read: ", count < 0 ? std::strerror(errno) : "cut short");
    have += static_cast<size_t>(count);
  }
  const size_t payload = size - sizeof(Checksum);
  Checksum sum;
  std::memcpy(&sum, bytes.data() + payload, sizeof sum);
  require(sum == checksum_of(bytes.data(), payload), path_, ": row ", row,
          " is damaged; delete the file, and it is computed again");
  if (dtype_ == DType::f32) {
    std::memcpy(into, bytes.data(), payload);
    return;
  }
  for (int64_t k = 0; k < values_; ++k) {
    BFloat16 narrow;
    std::memcpy(&narrow, bytes.data() + 2 * k, 2);
    into[k] = to_f32(narrow);
  }
}

}  // namespace limbic::train
