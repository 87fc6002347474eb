// The entry points of gcc's OpenMP runtime that oneDNN's loops call, over the pool.
// A program that is linked with this (limbic::threads) keeps their threads itself, and libgomp's
// are never made. Only for programs whose own code has no OpenMP: gcc's other constructs would
// reach libgomp, which knows nothing of these teams. cmake/threads.cmake makes sure that the
// libraries call no more than this. Source: gcc's libgomp.h ABI, OpenMP API 4.5, chapter 3.
#include "limbic/core/parallel.h"
#include "limbic/threads/pool.h"

using namespace limbic;

extern "C" {

void GOMP_parallel(void (*body)(void*), void* context, unsigned threads_wanted, unsigned);
void GOMP_barrier();
int omp_get_max_threads();
int omp_get_num_threads();
int omp_get_thread_num();
int omp_get_thread_limit();
int omp_in_parallel();
void omp_set_num_threads(int n);
void omp_set_dynamic(int);

void GOMP_parallel(void (*body)(void*), void* context, unsigned threads_wanted, unsigned) {
  pool::run(threads_wanted > 0 ? static_cast<int>(threads_wanted) : threads(), body, context);
}
void GOMP_barrier() { pool::barrier(); }

int omp_get_max_threads() { return threads(); }
int omp_get_num_threads() { return pool::team_size(); }
int omp_get_thread_num() { return pool::member(); }
int omp_get_thread_limit() { return 1 << 30; }
int omp_in_parallel() { return pool::in_team(); }
void omp_set_num_threads(int n) { detail::set_threads_here(n); }
void omp_set_dynamic(int) {}
}
