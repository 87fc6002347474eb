#include "limbic/threads/pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
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
// asleep. Spinning on beside busy neighbours is right, too: whoever sleeps has to queue anew for
// its core, for as long as a neighbour's turn, some milliseconds. But where somebody that this
// thread waits for would need this very core, spinning keeps it from working: then it sleeps at
// once.
template <class NeedsThisCore>
void wait(const Word& word, int old, NeedsThisCore&& needs_this_core) {
  constexpr std::chrono::microseconds longest{500};
  const auto start = Clock::now();
  do {
    for (int i = 0; i < 32; ++i, pause())
      if (word.load(std::memory_order_acquire) != old) return;
  } while (!needs_this_core(::sched_getcpu()) && Clock::now() - start < longest);
  word.wait(old, std::memory_order_acquire);
}

// Asks for short turns on a core, as threads do that often wait for each other: the share stays the
// same, but whoever is woken comes sooner. Linux since 6.12; before, nothing changes. Source:
// sched(7), sched_setattr(2), sched_runtime of SCHED_OTHER.
void take_short_turns() {
  struct {
    uint32_t size = 48, policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 100000, deadline = 0, period = 0;
  } attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime = 100000;  // nanoseconds, the least that is taken
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// One region, and what its members wait for.
struct Team {
  int size = 1;
  void (*body)(void*) = nullptr;
  void* context = nullptr;
  Word working = 0;                  // without the caller
  std::atomic<int> core = -1;        // that the caller was on
  Word arrived = 0, generation = 0;  // at a barrier
};

// Where a thread is: in a team, or alone within one, or nowhere.
struct Place {
  Team* team = nullptr;
  int member = 0;
  bool inside = false;
};

thread_local constinit Place place;

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

  bool is_on(int core) const { return core_.load(std::memory_order_relaxed) == core; }

 private:
  void work() {
    take_short_turns();
    const Team* last = nullptr;  // whose caller starts what comes next
    for (int seen = 0;;) {
      int now = 0;
      while ((now = ticket_.load(std::memory_order_acquire)) == seen)
        wait(ticket_, seen, [&](int core) { return last && last->core == core; });
      seen = now;
      core_ = ::sched_getcpu();
      Team& team = *next_.team;
      last = &team;
      {
        const At here(next_);
        team.body(team.context);
      }
      if (team.working.fetch_sub(1, std::memory_order_acq_rel) == 1) team.working.notify_one();
    }
  }

  alignas(64) Word ticket_ = 0;
  std::atomic<int> core_ = -1;  // that it was on
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
      fail("a thread cannot be started (", error.code().message(), "): ", workers.size() + 1,
           " of ", size, " are there; use fewer --threads");
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
    if (!crew) take(), take_short_turns();
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
  team.core.store(::sched_getcpu(), std::memory_order_relaxed);
  {
    const At here({&team, 0, true});
    body(context);
  }
  for (int left; (left = team.working.load(std::memory_order_acquire)) > 0;)
    wait(team.working, left, [&](int here) {
      return std::any_of(crew.workers.begin(), crew.workers.begin() + size - 1,
                         [&](const Worker* worker) { return worker->is_on(here); });
    });
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
      wait(team->generation, generation, [](int) { return false; });
  }
}

int member() { return place.member; }
int team_size() { return place.team ? place.team->size : 1; }
bool in_team() { return place.inside; }

}  // namespace limbic::pool
