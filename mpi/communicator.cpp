#include "limbic/mpi/communicator.h"

#include <fcntl.h>
#include <mpi.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "limbic/core/bfloat16.h"
#include "limbic/core/clock.h"
#include "limbic/core/error.h"

namespace limbic::mpi {
namespace {

constexpr int ping_tag = 1, pong_tag = 2, ring_tag = 3, bf16_tag = 4;
constexpr size_t bf16_apart = 8;
constexpr size_t bf16_chunk = size_t{1} << 17;  // values of a piece that one rank adds up

// A rank's line in the record: when it last lived. Written through a mapping, so that it outlives
// the process however that ends.
struct Beat {
  enum State : int32_t { none, running, ended, silent, told };
  int32_t state;
  int32_t ranks;
  int64_t step;
  int64_t microseconds;  // since 1970
  char unused[40];
};
static_assert(sizeof(Beat) == 64);

std::atomic<Beat*> own_beat = nullptr;  // of this process, while it has one

int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int count_of(size_t n) {
  require(n <= size_t{1} << 30, "mpi: ", n, " values are too many for one message");
  return static_cast<int>(n);
}

}  // namespace

struct Communicator::State {
  train::CommunicatorOptions options;
  int rank = 0, size = 1, local = 1;
  MPI_Comm world = MPI_COMM_NULL, watch = MPI_COMM_NULL;
  std::atomic<int64_t> step{0}, begun{0};
  std::atomic<double> waited{0};
  std::atomic<int64_t> summed{0};
  Beat* beats = nullptr;
  int speaks_to = STDERR_FILENO;
  double last_look = 0;

  // The queue of the one thread that calls MPI.
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  int64_t asked = 0, done = 0;
  bool ending = false, ready = false;
  std::string failure;
  std::thread thread;

  void run();
  int64_t ask(std::function<void()> task);
  void wait_for(int64_t task);
  void live();
  void wait(MPI_Request* requests, int n);
  [[noreturn]] void name_the_silent();
  class Bf16Piece;
  void ring_sum(float* values, size_t n);
  void bf16_sum(std::span<float> values);
  void begin_record(const std::string& path);
  void end_record();
};

void Communicator::State::run() {
  ::prctl(PR_SET_TIMERSLACK, 1000);  // ns: short sleeps are short
  int provided = 0, was_initialised = 0;
  MPI_Initialized(&was_initialised);
  if (!was_initialised) MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_dup(MPI_COMM_WORLD, &world);
  MPI_Comm_dup(MPI_COMM_WORLD, &watch);
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &size);
  MPI_Comm machine;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
  MPI_Comm_size(machine, &local);
  MPI_Comm_free(&machine);
  {
    const std::lock_guard lock(mutex);
    ready = true;
  }
  changed.notify_all();
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::milliseconds(2),
                       [&] { return ending || !tasks.empty(); });
      if (tasks.empty() && ending) break;
      if (!tasks.empty()) {
        task = std::move(tasks.front());
        tasks.pop_front();
      }
    }
    live();
    if (!task) continue;
    ++begun;
    task();
    {
      const std::lock_guard lock(mutex);
      ++done;
    }
    changed.notify_all();
  }
  end_record();
  // MPICH's end over UCX waits for a rank that no longer looks at its network: all look a while
  // longer.
  // Rank 0 may have an SVM to fit before it comes.
  options.timeout = INFINITY;
  MPI_Request all_here;
  MPI_Ibarrier(world, &all_here);
  wait(&all_here, 1);
  for (const double start = now(); now() - start < 0.1;) {
    live();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  MPI_Comm_free(&world);
  MPI_Comm_free(&watch);
  MPI_Finalize();
}

int64_t Communicator::State::ask(std::function<void()> task) {
  int64_t number;
  {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
    number = ++asked;
  }
  changed.notify_all();
  return number;
}

void Communicator::State::wait_for(int64_t task) {
  const double start = now();
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done >= task; });
  waited = waited + (now() - start);
}

// Notes that this rank lives, and answers who asks.
void Communicator::State::live() {
  if (beats) {
    beats[rank].step = step;
    beats[rank].microseconds = microseconds_now();
  }
  if (size == 1) return;
  for (int asks = 1; asks;) {
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, ping_tag, watch, &asks, &status);
    if (!asks) break;
    int64_t what = 0;
    MPI_Recv(&what, 1, MPI_INT64_T, status.MPI_SOURCE, ping_tag, watch, MPI_STATUS_IGNORE);
    const int64_t mine = begun;
    MPI_Request sent;
    MPI_Isend(&mine, 1, MPI_INT64_T, status.MPI_SOURCE, pong_tag, watch, &sent);
    MPI_Wait(&sent, MPI_STATUS_IGNORE);  // 8 bytes, which are buffered
  }
}

// Nothing goes on in MPI unless it is asked; between questions the cores are for the network.
void Communicator::State::wait(MPI_Request* requests, int n) {
  const double start = now();
  for (int finished = 0;;) {
    const double before = now();
    // A question moves little: some kB over TCP.
    for (int k = 0; k < 8 && !finished; ++k)
      MPI_Testall(n, requests, &finished, MPI_STATUSES_IGNORE);
    if (finished) return;
    const double after = now();
    if (after - last_look > 1e-3) {
      last_look = after;
      live();
    }
    if (after - start > options.timeout) name_the_silent();
    if (after - before > 3e-5) continue;  // it moved bytes
    if (after - start < 5e-5)
      ::sched_yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(10));
  }
}

// Asks all others; who does not answer is stopped, or gone; else the one behind hangs.
void Communicator::State::name_the_silent() {
  std::vector<int64_t> answers(static_cast<size_t>(size), -1);
  answers[static_cast<size_t>(rank)] = begun;
  std::vector<MPI_Request> sent(static_cast<size_t>(size), MPI_REQUEST_NULL);
  const int64_t mine = begun;
  for (int r = 0; r < size; ++r)
    if (r != rank)
      MPI_Isend(&mine, 1, MPI_INT64_T, r, ping_tag, watch, &sent[static_cast<size_t>(r)]);
  for (const double start = now(); now() - start < 3;) {
    live();
    int answered = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, pong_tag, watch, &answered, &status);
    if (answered)
      MPI_Recv(&answers[static_cast<size_t>(status.MPI_SOURCE)], 1, MPI_INT64_T, status.MPI_SOURCE,
               pong_tag, watch, MPI_STATUS_IGNORE);
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::string who;
  bool speaks = true;  // the lowest rank that answers and waits
  const int64_t least = *std::min_element(answers.begin(), answers.end());
  const int64_t most = *std::max_element(answers.begin(), answers.end());
  for (int r = 0; r < size; ++r) {
    const int64_t answer = answers[static_cast<size_t>(r)];
    if (answer == least && least < most) who += str_cat(who.empty() ? "" : ", ", r);
    if (r < rank && answer == most) speaks = false;
  }
  if (!speaks) std::this_thread::sleep_for(std::chrono::seconds(3));
  if (beats)
    for (int r = 0; r < size; ++r)
      if (answers[static_cast<size_t>(r)] == least && least < most) beats[r].state = Beat::silent;
  const std::string what = who.empty() ? "the network between the ranks has stood still"
                           : least < 0
                               ? "rank " + who + " has not answered"
                               : "rank " + who + " answers, but has not come as far as the others,";
  ::dprintf(speaks_to,
            "limbic: %s for %g s, at step %lld; all stop, --resume goes on from the last "
            "checkpoint\n",
            what.c_str(), options.timeout, static_cast<long long>(step));
  end_record();
  MPI_Abort(MPI_COMM_WORLD, 1);
  ::_exit(1);
}

// Each chunk goes round once to be added up and once to be handed out: its sum is made in the order
// of the ring, whatever the time at which parts come.
void Communicator::State::ring_sum(float* values, size_t n) {
  const auto p = static_cast<size_t>(size), r = static_cast<size_t>(rank);
  const auto begin = [&](size_t chunk) { return n * (chunk % p) / p; };
  const auto end = [&](size_t chunk) { return n * (chunk % p + 1) / p; };
  const int next = (rank + 1) % size, before = (rank + size - 1) % size;
  std::vector<float> received(n / p + 1);
  for (size_t k = 0; k < 2 * (p - 1); ++k) {
    const bool adds = k < p - 1;
    const size_t out = r + 2 * p - k, in = out + p - 1;
    float* into = adds ? received.data() : values + begin(in);
    MPI_Request both[2];
    MPI_Irecv(into, count_of(end(in) - begin(in)), MPI_FLOAT, before, ring_tag, world, &both[0]);
    MPI_Isend(values + begin(out), count_of(end(out) - begin(out)), MPI_FLOAT, next, ring_tag,
              world, &both[1]);
    wait(both, 2);
    if (adds)
      for (size_t i = begin(in); i < end(in); ++i) values[i] += received[i - begin(in)];
  }
}

// A piece on its way: each rank gets everybody's share of its chunk in bf16, adds them up in f32 in
// the order of the ranks, and hands the sum out in bf16. Half the bytes, two roundings.
class Communicator::State::Bf16Piece {
 public:
  explicit Bf16Piece(State& s) : s_(s), p_(static_cast<size_t>(s.size)) {}
  void share(std::span<float> values) {
    values_ = values;
    own_ = begin(s_.rank + 1) - begin(s_.rank);
    all_.resize(values.size()), shares_.resize(own_ * p_);
    std::transform(values.begin(), values.end(), all_.begin(), from_f32<BFloat16>);
    std::copy_n(&all_[begin(s_.rank)], own_, &shares_[static_cast<size_t>(s_.rank) * own_]);
    exchange([&](int r) { return std::span(shares_).subspan(static_cast<size_t>(r) * own_, own_); },
             [&](int r) { return chunk(r); });
  }
  void add_up() {
    s_.wait(requests_.data(), static_cast<int>(requests_.size()));
    const std::span<BFloat16> sum = chunk(s_.rank);
    for (size_t i = 0; i < own_; ++i) {
      float total = 0;
      for (size_t r = 0; r < p_; ++r) total += to_f32(shares_[r * own_ + i]);
      sum[i] = from_f32<BFloat16>(total);
    }
    exchange([&](int r) { return chunk(r); }, [&](int) { return sum; });
  }
  void take() {
    s_.wait(requests_.data(), static_cast<int>(requests_.size()));
    std::transform(all_.begin(), all_.end(), values_.begin(), [](BFloat16 x) { return to_f32(x); });
  }

 private:
  size_t begin(int r) const { return values_.size() * static_cast<size_t>(r) / p_; }
  std::span<BFloat16> chunk(int r) {
    return std::span(all_).subspan(begin(r), begin(r + 1) - begin(r));
  }
  template <class Into, class From>
  void exchange(const Into& into, const From& from) {
    requests_.clear();
    for (int k = 1; k < s_.size; ++k) {
      const int next = (s_.rank + k) % s_.size, before = (s_.rank + s_.size - k) % s_.size;
      const std::span<BFloat16> in = into(before), out = from(next);
      MPI_Irecv(in.data(), count_of(in.size()), MPI_UINT16_T, before, bf16_tag, s_.world,
                &requests_.emplace_back());
      MPI_Isend(out.data(), count_of(out.size()), MPI_UINT16_T, next, bf16_tag, s_.world,
                &requests_.emplace_back());
    }
  }

  State& s_;
  size_t p_, own_ = 0;
  std::span<float> values_;
  std::vector<BFloat16> all_, shares_;
  std::vector<MPI_Request> requests_;
};

// While pieces are rounded or added up, those before and behind them are on the network.
void Communicator::State::bf16_sum(std::span<float> values) {
  constexpr size_t apart = bf16_apart;
  const size_t piece = static_cast<size_t>(size) * bf16_chunk;
  const size_t n = (values.size() + piece - 1) / piece;
  std::vector<Bf16Piece> pieces(std::min(n, 2 * apart + 1), Bf16Piece(*this));
  for (size_t k = 0; k < n + 2 * apart; ++k) {
    if (k < n)
      pieces[k % pieces.size()].share(
          values.subspan(k * piece, std::min(piece, values.size() - k * piece)));
    if (k >= apart && k < n + apart) pieces[(k - apart) % pieces.size()].add_up();
    if (k >= 2 * apart) pieces[(k - 2 * apart) % pieces.size()].take();
  }
}

void Communicator::State::begin_record(const std::string& path) {
  end_record();
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return;  // the folder is not shared: this rank is not in the record
  const auto bytes = static_cast<off_t>(sizeof(Beat)) * size;
  void* mapped = MAP_FAILED;
  // On a full disk a page without a place would end the process when it is written.
  if (::posix_fallocate(file, 0, bytes) == 0)
    mapped =
        ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) return;
  beats = static_cast<Beat*>(mapped);
  beats[rank] = {Beat::running, size, step, microseconds_now(), {}};
  own_beat = beats + rank;
}

void Communicator::State::end_record() {
  if (!beats) return;
  own_beat = nullptr;
  if (beats[rank].state == Beat::running) beats[rank].state = Beat::ended;
  ::munmap(beats, sizeof(Beat) * static_cast<size_t>(size));
  beats = nullptr;
}

Communicator::Communicator() : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.thread = std::thread([&s] { s.run(); });
  std::unique_lock lock(s.mutex);
  s.changed.wait(lock, [&] { return s.ready; });
}

Communicator::~Communicator() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void Communicator::configure(const train::CommunicatorOptions& options) {
  State& s = *state_;
  s.wait_for(s.ask([&] { s.options = options; }));
}

void Communicator::note_told() {
  if (Beat* beat = own_beat) beat->state = Beat::told;
}

void Communicator::speak_to(int file) { state_->speaks_to = file; }
int Communicator::rank() const { return state_->rank; }
int Communicator::size() const { return state_->size; }
int Communicator::ranks_on_this_machine() const { return state_->local; }

void Communicator::broadcast(std::vector<uint8_t>& bytes) {
  State& s = *state_;
  s.wait_for(s.ask([&] {
    auto n = static_cast<int64_t>(bytes.size());
    MPI_Request request;
    MPI_Ibcast(&n, 1, MPI_INT64_T, 0, s.world, &request);
    s.wait(&request, 1);
    bytes.resize(static_cast<size_t>(n));
    constexpr size_t part = size_t{1} << 28;
    for (size_t at = 0; at < bytes.size(); at += part) {
      MPI_Ibcast(bytes.data() + at, count_of(std::min(part, bytes.size() - at)), MPI_BYTE, 0,
                 s.world, &request);
      s.wait(&request, 1);
    }
  }));
}

void Communicator::all_reduce_sum(std::span<double> values) {
  State& s = *state_;
  s.wait_for(s.ask([&s, values] {
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, values.data(), count_of(values.size()), MPI_DOUBLE, MPI_SUM,
                   s.world, &request);
    s.wait(&request, 1);
  }));
}

void Communicator::start_sum(std::span<float> values) {
  State& s = *state_;
  s.summed += static_cast<int64_t>(values.size_bytes());
  s.ask([&s, values] {
    if (s.options.bf16) return s.bf16_sum(values);
    if (s.options.ring) return s.ring_sum(values.data(), values.size());
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, values.data(), count_of(values.size()), MPI_FLOAT, MPI_SUM,
                   s.world, &request);
    s.wait(&request, 1);
  });
}

void Communicator::finish() {
  int64_t last;
  {
    const std::lock_guard lock(state_->mutex);
    last = state_->asked;
  }
  state_->wait_for(last);
}

std::vector<std::string> Communicator::gather(const std::string& own) {
  State& s = *state_;
  std::vector<std::string> out(static_cast<size_t>(s.size));
  s.wait_for(s.ask([&] {
    std::vector<int> counts(out.size()), places(out.size());
    const int n = count_of(own.size());
    MPI_Request request;
    MPI_Iallgather(&n, 1, MPI_INT, counts.data(), 1, MPI_INT, s.world, &request);
    s.wait(&request, 1);
    int all = 0;
    for (size_t r = 0; r < out.size(); ++r) places[r] = all, all += counts[r];
    std::string text(static_cast<size_t>(all), ' ');
    MPI_Iallgatherv(own.data(), n, MPI_CHAR, text.data(), counts.data(), places.data(), MPI_CHAR,
                    s.world, &request);
    s.wait(&request, 1);
    for (size_t r = 0; r < out.size(); ++r)
      out[r] = text.substr(static_cast<size_t>(places[r]), static_cast<size_t>(counts[r]));
  }));
  return out;
}

void Communicator::barrier() {
  State& s = *state_;
  s.wait_for(s.ask([&s] {
    MPI_Request request;
    MPI_Ibarrier(s.world, &request);
    s.wait(&request, 1);
  }));
}

void Communicator::at_step(int64_t step) { state_->step = step; }

std::string Communicator::begin_run(const std::string& folder) {
  State& s = *state_;
  std::vector<uint8_t> path(folder.begin(), folder.end());  // the others' may have another name
  broadcast(path);
  const std::string record = std::string(path.begin(), path.end()) + "/ranks";
  const std::string before = s.rank == 0 ? who_stopped(record) : "";
  if (s.rank == 0) ::unlink(record.c_str());
  barrier();
  if (s.rank == 0) s.wait_for(s.ask([&] { s.begin_record(record); }));
  barrier();
  if (s.rank != 0) s.wait_for(s.ask([&] { s.begin_record(record); }));
  return before;
}

void Communicator::end_run() {
  State& s = *state_;
  s.wait_for(s.ask([&s] { s.end_record(); }));
}

double Communicator::seconds_waited() const { return state_->waited; }
int64_t Communicator::bytes_summed() const { return state_->summed; }

void Communicator::abort(int status) {
  State& s = *state_;
  s.ask([&s, status] {
    s.end_record();
    MPI_Abort(MPI_COMM_WORLD, status);
  });
  std::this_thread::sleep_for(std::chrono::seconds(2));  // MPI may be within another call
  ::_exit(status);
}

std::string who_stopped(const std::string& record) {
  const int file = ::open(record.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::vector<Beat> beats;
  for (Beat b; ::read(file, &b, sizeof b) == static_cast<ssize_t>(sizeof b);) beats.push_back(b);
  ::close(file);
  const Beat* first = nullptr;
  for (const Beat& b : beats) {
    if (b.state == Beat::silent)
      return str_cat("rank ", &b - beats.data(), " of ", b.ranks, " did not answer at step ",
                     b.step);
    if (b.state == Beat::running && (!first || b.microseconds < first->microseconds)) first = &b;
  }
  if (!first &&
      std::any_of(beats.begin(), beats.end(), [](const Beat& b) { return b.state == Beat::told; }))
    return "its ranks were told to stop";
  if (!first) return {};
  return str_cat("rank ", first - beats.data(), " of ", first->ranks, " stopped at step ",
                 first->step);
}

}  // namespace limbic::mpi
