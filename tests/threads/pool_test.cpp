// Threads: teams whose members meet, callers with numbers of their own, a pool that is handed in.
#include "limbic/threads/pool.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "limbic/core/parallel.h"

using namespace limbic;

namespace {

int64_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

// Calls f(member) on each member of a team.
template <class F>
void team(int size, F&& f) {
  using Plain = std::remove_reference_t<F>;
  pool::run(
      size, [](void* call) { (*static_cast<Plain*>(call))(pool::member()); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace

TEST_CASE("pool: members meet at barriers, however many more they are than cores") {
  for (const int size : {1, 2, 3, 8, 17}) {
    CAPTURE(size);
    std::vector<std::atomic<int>> at(static_cast<size_t>(size));
    std::atomic<int> wrong = 0;
    team(size, [&](int member) {
      if (pool::team_size() != size) ++wrong;
      for (int step = 1; step <= 200; ++step) {
        ++at[static_cast<size_t>(member)];
        pool::barrier();
        for (const auto& other : at)
          if (other != step) ++wrong;
        pool::barrier();
      }
    });
    CHECK(wrong == 0);
    for (const auto& steps : at) CHECK(steps == 200);
  }
  CHECK(pool::member() == 0);
  CHECK(pool::team_size() == 1);
  CHECK_FALSE(pool::in_team());
}

TEST_CASE("pool: within a team one is alone") {
  std::atomic<int> runs = 0, wrong = 0;
  team(3, [&](int) {
    const int outside = pool::member();
    team(4, [&](int member) {
      ++runs;
      if (member != 0 || pool::team_size() != 1 || !pool::in_team()) ++wrong;
      pool::barrier();
    });
    if (pool::member() != outside || pool::team_size() != 3) ++wrong;
  });
  CHECK(runs == 3);
  CHECK(wrong == 0);
}

TEST_CASE("pool: no thread is made or ended after the largest team, whatever comes and goes") {
  team(6, [](int) {});
  const int64_t before = threads_of_process();
  for (int i = 0; i < 300; ++i) team(1 + i % 6, [](int) {});
  CHECK(threads_of_process() == before);
  // Callers that end leave their crew to those that come.
  std::thread([] { team(4, [](int) {}); }).join();
  const int64_t with_two = threads_of_process();
  for (int i = 0; i < 20; ++i) std::thread([] { team(4, [](int) {}); }).join();
  CHECK(threads_of_process() == with_two);
}

TEST_CASE("threads: each caller has its own number, and what is set holds for all others") {
  const int before = threads();
  set_threads(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (const int own : {0, 2, 5})
    callers.emplace_back([&wrong, own] {
      const auto members = [] {
        std::atomic<int> n = 0;
        parallel_ranges(100, [&](int64_t, int64_t) { ++n; });
        return n.load();
      };
      for (int i = 0; i < 100; ++i) {
        if (members() != 3) ++wrong;
        if (own == 0) continue;
        const ThreadScope scope(own);
        if (members() != own || threads() != own) ++wrong;
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  set_threads(before);
}

TEST_CASE("threads: a pool that is handed in does the work, and only while it is there") {
  int64_t calls = 0;
  set_pool([&](int size, const std::function<void(int)>& body) {
    ++calls;
    std::vector<std::thread> own;
    for (int member = 1; member < size; ++member) own.emplace_back([&, member] { body(member); });
    body(0);
    for (std::thread& thread : own) thread.join();
  });
  const ThreadScope scope(4);
  std::vector<std::atomic<int>> seen(1000);
  const auto work = [&] {
    parallel_for(1000, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    parallel_for_dynamic(1000, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
  };
  work();
  CHECK(calls == 2);
  team(4, [](int) { pool::barrier(); });
  CHECK(calls == 3);
  set_pool({});
  work();
  CHECK(calls == 3);
  for (const auto& times : seen) CHECK(times == 4);
}

TEST_CASE("pool: a child made by fork has threads of its own") {
  team(3, [](int) {});
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::atomic<int> runs = 0;
    for (int i = 0; i < 10; ++i) team(3, [&](int) { ++runs, pool::barrier(); });
    ::_exit(runs == 30 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}
