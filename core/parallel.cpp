#include "limbic/core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <exception>
#include <mutex>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "limbic/core/cgroup.h"
#include "limbic/core/error.h"

namespace limbic {
namespace {

int current_threads = 0;

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(affinity, cgroup_cores()));
}

void set_threads(int threads) {
  require(threads >= 0, "--threads: expected 0 (all cores) or more, got ", threads);
  current_threads = threads == 0 ? available_cores() : threads;
#ifdef _OPENMP
  // OMP_THREAD_LIMIT and OMP_DYNAMIC would give fewer threads than oneDNN has split its work for.
  current_threads = std::min(current_threads, omp_get_thread_limit());
  omp_set_dynamic(0);
  omp_set_num_threads(current_threads);  // libgomp is shared with oneDNN and OpenBLAS
#else
  current_threads = 1;
#endif
}

int threads() {
  if (current_threads == 0) set_threads(0);
  return current_threads;
}

#ifdef _OPENMP
ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  omp_set_dynamic(0);
  if (before_ != threads) omp_set_num_threads(threads);
}
ThreadScope::~ThreadScope() {
  if (before_ != omp_get_max_threads()) omp_set_num_threads(before_);
}
bool in_parallel_region() { return omp_in_parallel() != 0; }
#else
ThreadScope::ThreadScope(int) {}
ThreadScope::~ThreadScope() = default;
bool in_parallel_region() { return false; }
#endif

namespace detail {

void run_parallel(int64_t n, int64_t grain, RangeFunction function, void* context) {
  if (n <= 0) return;
  const int team = static_cast<int>(std::min<int64_t>(threads(), n));
#ifdef _OPENMP
  if (team > 1 && !omp_in_parallel()) {
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto guarded = [&](int64_t begin, int64_t end) {
      try {
        function(context, begin, end);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    };
    if (grain > 0) {
#pragma omp parallel for schedule(dynamic) num_threads(team)
      for (int64_t begin = 0; begin < n; begin += grain) guarded(begin, std::min(n, begin + grain));
    } else {
#pragma omp parallel for schedule(static) num_threads(team)
      for (int t = 0; t < team; ++t) guarded(n * t / team, n * (t + 1) / team);
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  (void)team;
  (void)grain;
  function(context, 0, n);
}

}  // namespace detail
}  // namespace limbic
