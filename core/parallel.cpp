#include "limbic/core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "limbic/core/cgroup.h"
#include "limbic/core/error.h"

namespace limbic {
namespace {

std::atomic<int> threads_of_all = 0;
thread_local int threads_here = 0;  // 0: as many as all have
thread_local bool in_handed_in_pool = false;
PoolFunction pool_of_all;

// OpenMP's number of this thread, which oneDNN splits its work for; returns what it was.
int tell_openmp(int n) {
#ifdef _OPENMP
  omp_set_dynamic(0);  // OMP_DYNAMIC would give fewer threads than that
  const int before = omp_get_max_threads();
  if (before != n) omp_set_num_threads(n);
  return before;
#else
  return n;
#endif
}

// What the members of one region share.
struct Region {
  int64_t n, grain;
  detail::RangeFunction function;
  void* context;
  std::atomic<int64_t> next = 0;
  std::exception_ptr error;
  std::mutex error_mutex;

  void work(int member, int team) {
    if (grain == 0) return call(n * member / team, n * (member + 1) / team);
    for (int64_t begin; (begin = next.fetch_add(grain, std::memory_order_relaxed)) < n;)
      call(begin, std::min(n, begin + grain));
  }

 private:
  void call(int64_t begin, int64_t end) {
    try {
      function(context, begin, end);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  }
};

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(affinity, cgroup_cores()));
}

void set_threads(int threads) {
  require(threads >= 0, "--threads: expected 0 (all cores) or more, got ", threads);
  int n = threads == 0 ? available_cores() : threads;
#ifdef _OPENMP
  n = std::min(n, omp_get_thread_limit());
#endif
  threads_of_all = n;
  threads_here = 0;
  tell_openmp(n);
}

int threads() {
  if (threads_here > 0) return threads_here;
  if (threads_of_all == 0) set_threads(0);
  return threads_of_all;
}

ThreadScope::ThreadScope(int threads)
    : before_(threads_here), openmp_before_(tell_openmp(threads)) {
  threads_here = threads;
}
ThreadScope::~ThreadScope() {
  tell_openmp(openmp_before_);
  threads_here = before_;
}

void set_pool(PoolFunction pool) { pool_of_all = std::move(pool); }
const PoolFunction& handed_in_pool() { return pool_of_all; }

bool in_parallel_region() {
#ifdef _OPENMP
  if (omp_in_parallel()) return true;
#endif
  return in_handed_in_pool;
}

namespace detail {

void set_threads_here(int n) { threads_here = n; }

void run_parallel(int64_t n, int64_t grain, RangeFunction function, void* context) {
  if (n <= 0) return;
  const int team = static_cast<int>(std::min<int64_t>(threads(), n));
  if (team <= 1 || in_parallel_region()) return function(context, 0, n);
  Region region{.n = n, .grain = grain, .function = function, .context = context};
  if (pool_of_all) {
    pool_of_all(team, [&](int member) {
      const ThreadScope alone(1);
      in_handed_in_pool = true;
      region.work(member, team);
      in_handed_in_pool = false;
    });
  } else {
#ifdef _OPENMP
#pragma omp parallel num_threads(team)
    region.work(omp_get_thread_num(), team);
#else
    function(context, 0, n);
#endif
  }
  if (region.error) std::rethrow_exception(region.error);
}

}  // namespace detail
}  // namespace limbic
