#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace limbic::io {

/// One background thread that reads files in the order they will be asked for, up to a budget of
/// bytes ahead. It only waits on the disk and computes nothing.
class ReadAhead {
 public:
  struct File {
    std::vector<uint8_t> bytes;
    std::string error;           ///< Why it could not be read; empty: it could.
    std::exception_ptr failure;  ///< What went wrong that is not the file's fault.
  };

  explicit ReadAhead(int64_t budget_bytes);
  /// Waits at most for the file that is being read.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// Drops what was read and starts over with `paths`; an empty path gives an empty File unread.
  void start(std::vector<std::string> paths);
  /// The next file in order, waiting for it. Throws Error when all have been given out, and where
  /// memory ran out std::bad_alloc.
  File next();

 private:
  void run();
  bool may_read() const;

  const int64_t budget_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> paths_;
  size_t to_read_ = 0, to_give_ = 0;  // positions in paths_
  std::deque<File> ready_;            // files to_give_ .. to_read_, but for one being read
  int64_t ready_bytes_ = 0;
  uint64_t generation_ = 0;  // of start(): a file read for an earlier one is dropped
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace limbic::io
