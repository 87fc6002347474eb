#pragma once
#include <cstdint>
#include <functional>
#include <type_traits>

namespace limbic {

/// Cores that this process may use: its affinity mask and its cgroup's quota, not the machine's.
int available_cores();
/// Sets the threads of parallel_for and of oneDNN alike, for every thread that calls them outside a
/// ThreadScope. 0 means available_cores().
void set_threads(int threads);
int threads();

/// body(member) for each member from 0 to team - 1, all of them at the same time, as they may wait
/// for each other; returns when all have returned.
using PoolFunction = std::function<void(int team, const std::function<void(int member)>& body)>;

/// Parallel work is done by `pool` from now on, by the threads of a host application for example;
/// an empty function gives it back. Not while work is running. oneDNN's loops follow where
/// the program is linked with limbic::threads.
void set_pool(PoolFunction pool);
const PoolFunction& handed_in_pool();

/// Within a parallel loop, ours or a caller's of OpenMP: nested ones run on one thread.
bool in_parallel_region();

/// This thread's parallel work is done by `threads` threads, as set_threads would have it, while it
/// stands: for code that was prepared for that number, whichever thread calls it.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_ = 0, openmp_before_ = 0;
};

namespace detail {
void set_threads_here(int n);  ///< threads() of this thread; 0: what set_threads says.
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end);
/// Splits [0, n) over the threads: one contiguous range for each, or `grain` at a time to whichever
/// thread is free when grain > 0. The first exception thrown is thrown again to the caller.
void run_parallel(int64_t n, int64_t grain, RangeFunction function, void* context);
}  // namespace detail

/// body(begin, end) once for each thread, over contiguous ranges of [0, n).
template <class Body>
void parallel_ranges(int64_t n, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_parallel(
      n, 0, [](void* c, int64_t b, int64_t e) { (*static_cast<Plain*>(c))(b, e); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

/// body(i) for each i in [0, n), in contiguous ranges: for work that takes the same time for each
/// i.
template <class Body>
void parallel_for(int64_t n, Body&& body) {
  parallel_ranges(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

/// body(i) for each i in [0, n), one at a time to whichever thread is free: for uneven work.
template <class Body>
void parallel_for_dynamic(int64_t n, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_parallel(
      n, 1,
      [](void* c, int64_t b, int64_t e) {
        for (int64_t i = b; i < e; ++i) (*static_cast<Plain*>(c))(i);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace limbic
