#pragma once
// mpi: training over several processes by MPI, whose header communicator.cpp alone includes.
#include <memory>

#include "limbic/train/communicator.h"

namespace limbic::mpi {

/// Starts MPI on a thread that from here on makes all calls of it, in the order in which they were
/// asked for; ends it when it goes. One at a time in a process.
class Communicator : public train::Communicator {
 public:
  Communicator();
  ~Communicator() override;

  void configure(const train::CommunicatorOptions& options) override;
  int rank() const override;
  int size() const override;
  int ranks_on_this_machine() const;
  /// Notes in the record that this rank was told to stop, and is not the one who failed. For a
  /// signal's handler.
  static void note_told();
  /// Where it writes which rank does not answer; standard error if nothing else is said.
  void speak_to(int file);

  void broadcast(std::vector<uint8_t>& bytes) override;
  void all_reduce_sum(std::span<double> values) override;
  void start_sum(std::span<float> values) override;
  void finish() override;
  std::vector<std::string> gather(const std::string& own) override;
  void barrier() override;
  void at_step(int64_t step) override;
  std::string begin_run(const std::string& folder) override;
  void end_run() override;

  /// Seconds for which `finish` and other calls have waited, and bytes handed in for sums.
  double seconds_waited() const;
  int64_t bytes_summed() const;

  /// Ends all ranks.
  [[noreturn]] void abort(int status);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Who of an earlier run was the first to stop living, from its record; "" where all ended well or
/// there is no record. "rank 2 stopped after step 57".
std::string who_stopped(const std::string& record);

}  // namespace limbic::mpi
