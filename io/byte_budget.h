#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>

namespace limbic::io {

/// Bytes that parallel work may hold at once, of decoded pictures for example. Who asks for more
/// than are left waits until others give theirs back; what is larger than the whole budget gets
/// through alone.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t bytes) : bytes_(bytes) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  /// Given back when it goes. A thread must not ask for a second one while it holds one.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_) budget_->give_back(bytes_);
    }

   private:
    friend class ByteBudget;
    Share(ByteBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {}
    ByteBudget* budget_ = nullptr;
    int64_t bytes_ = 0;
  };

  [[nodiscard]] Share take(int64_t bytes) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return held_ == 0 || held_ + bytes <= bytes_; });
    held_ += bytes;
    return {this, bytes};
  }

 private:
  void give_back(int64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      held_ -= bytes;
    }
    freed_.notify_all();
  }

  const int64_t bytes_;
  int64_t held_ = 0;
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace limbic::io
