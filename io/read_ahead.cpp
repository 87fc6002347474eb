#include "limbic/io/read_ahead.h"

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/decode.h"

namespace limbic::io {
namespace {

constexpr size_t most_files = 4096;

ReadAhead::File read(const std::string& path) {
  ReadAhead::File file;
  if (path.empty()) return file;
  try {
    file.bytes = read_file(path, most_picture_bytes);
  } catch (const Error& error) {
    file.error = error.what();
  } catch (...) {
    file.failure = std::current_exception();
  }
  return file;
}

}  // namespace

ReadAhead::ReadAhead(int64_t budget_bytes) : budget_(budget_bytes), thread_([this] { run(); }) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::start(std::vector<std::string> paths) {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    paths_ = std::move(paths);
    to_read_ = to_give_ = 0;
    ready_.clear();
    ready_bytes_ = 0;
  }
  changed_.notify_all();
}

ReadAhead::File ReadAhead::next() {
  std::unique_lock lock(mutex_);
  require(to_give_ < paths_.size(), "read-ahead: all ", paths_.size(), " files were given out");
  changed_.wait(lock, [this] { return !ready_.empty(); });
  File file = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_ -= static_cast<int64_t>(file.bytes.size());
  ++to_give_;
  lock.unlock();
  changed_.notify_all();
  if (file.failure) std::rethrow_exception(file.failure);
  return file;
}

bool ReadAhead::may_read() const {
  return to_read_ < paths_.size() &&
         (ready_.empty() || (ready_bytes_ < budget_ && ready_.size() < most_files));
}

void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || may_read(); });
    if (stop_) return;
    const uint64_t generation = generation_;
    const std::string path = paths_[to_read_++];
    lock.unlock();
    File file = read(path);
    lock.lock();
    if (generation != generation_) continue;
    ready_bytes_ += static_cast<int64_t>(file.bytes.size());
    ready_.push_back(std::move(file));
    changed_.notify_all();
  }
}

}  // namespace limbic::io
