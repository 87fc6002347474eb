// The program `limbic` over several processes, started by mpirun. Rank 0 speaks and writes; a rank
// that fails says so in one line, and all end.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "limbic/cli/console.h"
#include "limbic/core/parallel.h"
#include "limbic/mpi/communicator.h"
#include "limbic/program/limbic_main.h"

namespace {

using namespace limbic;

// What a rank other than 0 says goes into memory: of it one line comes out where it fails.
int hide_words() {
  const int words = ::memfd_create("limbic", MFD_CLOEXEC);
  const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(words, STDERR_FILENO);
  return words;
}

// The last line that is an error.
std::string last_error(int words) {
  std::string text(1 << 16, ' ');
  const off_t size = ::lseek(words, 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(text.size()));
  const ssize_t n = ::pread(words, text.data(), text.size(), begin);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  const size_t at = text.rfind("limbic: ");
  return at == text.npos ? "" : text.substr(at, text.find('\n', at) - at) + "\n";
}

// UCX aborts a rank whose peer is gone, in the moment before the launcher ends it: the status is to
// be the launcher's, of the one that was killed.
void abort_a_second_later(int signal) {
  ::sleep(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, abort_a_second_later);
  mpi::Communicator together;
  cli::set_communicator(together);
  set_threads(std::max(1, available_cores() / together.ranks_on_this_machine()));
  const int own_stderr = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  together.speak_to(own_stderr);
  cli::hook_interruption(mpi::Communicator::note_told);
  int words = -1;
  if (together.rank() > 0)
    words = hide_words();
  else if (together.size() > 1)
    std::fprintf(stderr, "%d ranks, %d on this machine, %d threads each\n", together.size(),
                 together.ranks_on_this_machine(), threads());
  const std::string verb = argc > 1 ? argv[1] : "";
  if (together.size() > 1 && !verb.starts_with("-") && verb != "train" && verb != "fit" &&
      verb != "reproduce") {
    if (together.leads())
      std::fprintf(stderr,
                   "limbic: '%s' runs in one process; over ranks run train, fit and reproduce "
                   "(and extract --shard I/N, a process each)\n",
                   verb.c_str());
    return together.leads() ? cli::wrong_usage : 0;
  }
  const int status = limbic_main(argc, argv);
  std::fflush(nullptr);
  if (status != cli::failed && status != cli::wrong_usage) return together.leads() ? status : 0;
  if (together.size() == 1) return status;
  if (!together.leads()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));  // rank 0 may say the same
    const std::string line = last_error(words);
    [[maybe_unused]] const ssize_t written = ::write(own_stderr, line.data(), line.size());
  }
  together.abort(status);
}
