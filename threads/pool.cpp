#include "limbic/threads/pool.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"

namespace limbic::pool {
namespace {

using Clock = std::chrono::steady_clock;
using Word = std::atomic<int>;

void pause() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

// Waits for a word to change, spinning at first, as most waits are shorter than a system call, then
// asleep. How long it spins follows what it meets: a thread that loses its core while it spins has
// neighbours, whose time it takes for nothing, and its own place in the queue as well. It sleeps
// almost at once from then on, and returns to spinning step by step.
class Waiter {
 public:
  void wait(const Word& word, int old) {
    const auto start = Clock::now();
    for (auto last = start;;) {
      for (int i = 0; i < 32; ++i, pause())
        if (word.load(std::memory_order_acquire) != old) return encourage();
      const auto time = Clock::now();
      if (time - last > lost_core) patience_ = shortest;
      if (time - start >= patience_) break;
      last = time;
    }
    word.wait(old, std::memory_order_acquire);
    if (Clock::now() - start < longest) encourage();
  }

 private:
  static constexpr std::chrono::microseconds shortest{2}, longest{200}, lost_core{100};

  void encourage() { patience_ = std::min<Clock::duration>(patience_ * 17 / 16, longest); }

  Clock::duration patience_ = longest;
};

struct Team {
  int size = 1;
  void (*body)(void*) = nullptr;
  void* context = nullptr;
  Word working = 0;  // without the caller
  Word arrived = 0, generation = 0;  // at a barrier
};

// Where a thread is: in a team, or alone within one, or nowhere.
struct Place {
  Team* team = nullptr;
  int member = 0;
  bool inside = false;
};

thread_local constinit Place place;
thread_local constinit Waiter waiter;

class At {
 public:
  explicit At(const Place& here) : before_(place) { place = here; }
  ~At() { place = before_; }
  At(const At&) = delete;
  At& operator=(const At&) = delete;

 private:
  Place before_;
};

// A thread that is never ended: it sleeps where there is nothing to do.
class Worker {
 public:
  Worker() {
    std::thread([this] { work(); }).detach();
  }

  void start(Team& team, int member) {
    next_ = {&team, member, true};
    ticket_.fetch_add(1, std::memory_order_release);
    ticket_.notify_one();
  }

 private:
  void work() {
    for (int seen = 0;;) {
      int now = 0;
      while ((now = ticket_.load(std::memory_order_acquire)) == seen) waiter.wait(ticket_, seen);
      seen = now;
      Team& team = *next_.team;
      {
        const At here(next_);
        team.body(team.context);
      }
      if (team.working.fetch_sub(1, std::memory_order_acq_rel) == 1) team.working.notify_one();
    }
  }

  alignas(64) Word ticket_ = 0;
  Place next_;
};

// What one calling thread has: never ended either, the next caller takes it over.
struct Crew {
  Team team;
  std::vector<Worker*> workers;

  void grow(int size) {
    try {
      while (static_cast<int>(workers.size()) < size - 1) workers.push_back(new Worker);
    } catch (const std::system_error& error) {
      fail("a thread cannot be started (", error.code().message(), "): ", workers.size() + 1, " of ",
           size, " are there; use fewer --threads");
    }
  }
};

std::mutex idle_mutex;
std::vector<Crew*>& idle_crews() {
  static auto& crews = *new std::vector<Crew*>;
  return crews;
}

// In a child made by fork nobody of a crew is there.
void forget_after_fork();

class Caller {
 public:
  ~Caller() {
    if (!crew) return;
    const std::lock_guard lock(idle_mutex);
    idle_crews().push_back(crew);
  }
  Crew& of(int size) {
    if (!crew) take();
    crew->grow(size);
    return *crew;
  }
  Crew* crew = nullptr;

 private:
  void take() {
    const std::lock_guard lock(idle_mutex);
    [[maybe_unused]] static const int registered =
        pthread_atfork([] { idle_mutex.lock(); }, [] { idle_mutex.unlock(); }, forget_after_fork);
    if (idle_crews().empty()) idle_crews().push_back(new Crew);
    crew = idle_crews().back();
    idle_crews().pop_back();
  }
};

thread_local Caller caller;

void forget_after_fork() {
  idle_crews().clear();
  caller.crew = nullptr;
  idle_mutex.unlock();
}

}  // namespace

void run(int size, void (*body)(void*), void* context) {
  if (size <= 1 || place.inside) {
    const At here({nullptr, 0, place.inside});
    return body(context);
  }
  if (const PoolFunction& other = handed_in_pool()) {
    Team team;
    team.size = size;
    return other(size, [&](int member) {
      const At here({&team, member, true});
      body(context);
    });
  }
  Crew& crew = caller.of(size);
  Team& team = crew.team;
  team.size = size, team.body = body, team.context = context;
  team.working.store(size - 1, std::memory_order_relaxed);
  for (int i = 1; i < size; ++i) crew.workers[static_cast<size_t>(i - 1)]->start(team, i);
  {
    const At here({&team, 0, true});
    body(context);
  }
  for (int left; (left = team.working.load(std::memory_order_acquire)) > 0;)
    waiter.wait(team.working, left);
}

void barrier() {
  Team* team = place.team;
  if (!team || team->size == 1) return;
  const int generation = team->generation.load(std::memory_order_acquire);
  if (team->arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == team->size) {
    team->arrived.store(0, std::memory_order_relaxed);
    team->generation.fetch_add(1, std::memory_order_release);
    team->generation.notify_all();
  } else {
    while (team->generation.load(std::memory_order_acquire) == generation)
      waiter.wait(team->generation, generation);
  }
}

int member() { return place.member; }
int team_size() { return place.team ? place.team->size : 1; }
bool in_team() { return place.inside; }

}  // namespace limbic::pool
