#include "limbic/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "limbic/core/clock.h"

namespace limbic::cli {
namespace {

bool bar_is_open = false;
std::string advice;  // see when_interrupted
volatile std::sig_atomic_t interrupted = 0;
void (*interruption_hook)() = nullptr;

// The first one is heard where the work next reports; the second one ends at once.
void interrupt(int signal) {
  interrupted = signal;
  if (interruption_hook) interruption_hook();
  std::signal(signal, SIG_DFL);
  constexpr char text[] = "\nstopping; Ctrl-C again stops at once\n";
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text, sizeof text - 1);
}

void listen_for_interrupts() {
  for (const int signal : {SIGINT, SIGTERM})
    if (interrupted == 0 && std::signal(signal, interrupt) == SIG_IGN)
      std::signal(signal, SIG_IGN);  // as nohup wants it
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  char text[32];
  if (s >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  return text;
}

size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

class Bar {
 public:
  Bar() : terminal_(::isatty(STDERR_FILENO) != 0) {}

  void operator()(const Progress& p) {
    const double t = now();
    if (p.task != task_ || p.done < done_) {
      task_ = p.task;
      start_ = t;
      start_done_ = p.done;
      shown_ = 0;
    }
    done_ = p.done;
    const bool last = p.done >= p.total;
    if (!last && t - shown_ < (terminal_ ? 0.1 : 10.0)) return;
    if (shown_ == 0 && !terminal_ && !last) {
      shown_ = t;
      return;
    }
    shown_ = t;
    draw(p, t - start_, last);
  }

 private:
  void draw(const Progress& p, double elapsed, bool last) const {
    const double fresh = static_cast<double>(p.done - start_done_);
    const double rate = elapsed > 0 ? fresh / elapsed : 0;
    const double left = rate > 0 ? static_cast<double>(p.total - p.done) / rate : 0;
    char speed[80];
    std::snprintf(speed, sizeof speed, "  %.*f %s/s", rate < 10 ? 1 : 0, rate, p.unit.c_str());
    if (fresh == 0) speed[0] = 0;
    const std::string time = (last ? "  took " : "  left ") + duration(last ? elapsed : left),
                      count = str_cat(" ", p.done, "/", p.total),
                      remark = p.note.empty() ? "" : "  " + p.note;
    if (!terminal_) {
      std::fprintf(stderr, "%s\n", (p.task + count + speed + time + remark).c_str());
      return;
    }
    // What does not fit goes: the bar first, then the rate, then the count.
    const size_t room = terminal_width() - 1;
    std::string line = p.task + count + speed + time + remark;
    if (line.size() > room) line = p.task + count + time + remark;
    if (line.size() > room) line = p.task + time + remark;
    line.resize(std::min(line.size(), room));
    if (room >= line.size() + 8) {
      const double share =
          p.total > 0 ? static_cast<double>(p.done) / static_cast<double>(p.total) : 1;
      const size_t width = std::min<size_t>(24, room - line.size() - 3);
      const auto filled =
          static_cast<size_t>(static_cast<double>(width) * std::clamp(share, 0.0, 1.0));
      line.insert(p.task.size(),
                  " [" + std::string(filled, '=') + std::string(width - filled, ' ') + "]");
    }
    std::fprintf(stderr, "\r\033[K%s%s", line.c_str(), last ? "\n" : "");
    bar_is_open = !last;
    std::fflush(stderr);
  }

  bool terminal_;
  std::string task_;
  double start_ = 0, shown_ = 0;
  int64_t start_done_ = 0, done_ = 0;
};

struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;
  int64_t samples = 0;
};

std::vector<ClassScore> scores(const std::vector<std::vector<int64_t>>& confusion) {
  std::vector<ClassScore> out(confusion.size());
  for (size_t c = 0; c < confusion.size(); ++c) {
    int64_t predicted = 0;
    for (size_t t = 0; t < confusion.size(); ++t) {
      predicted += confusion[t][c];
      out[c].samples += confusion[c][t];
    }
    const auto right = static_cast<double>(confusion[c][c]);
    out[c].precision = predicted ? right / static_cast<double>(predicted) : 0;
    out[c].recall = out[c].samples ? right / static_cast<double>(out[c].samples) : 0;
    const double sum = out[c].precision + out[c].recall;
    out[c].f1 = sum > 0 ? 2 * out[c].precision * out[c].recall / sum : 0;
  }
  return out;
}

train::Communicator alone, *together = &alone;

}  // namespace

train::Communicator& communicator() { return *together; }
void set_communicator(train::Communicator& communicator) { together = &communicator; }

std::string& command_line() {
  static std::string words;
  return words;
}

std::string printable(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    const bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;  // U+0080 to U+009f
    if (byte >= 32 && byte != 127 && !c1) {
      out += text[i];
      continue;
    }
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", c1 ? next : byte);
    out += code;
    i += c1;
  }
  return out;
}

void say_failed(const std::string& reason) {
  end_progress();
  std::string who;
  if (together->size() > 1 && !reason.starts_with("rank "))
    who = "rank " + std::to_string(together->rank()) + ": ";
  std::fprintf(stderr, "limbic: %s%s\n", who.c_str(), printable(reason).c_str());
}

void when_interrupted(const std::string& text) { advice = text; }
void hook_interruption(void (*hook)()) { interruption_hook = hook; }

void end_interrupted() {
  end_progress();
  std::fprintf(stderr, "limbic: stopped%s%s\n", advice.empty() ? "" : "; ", advice.c_str());
  std::fflush(nullptr);
  const int signal = interrupted ? interrupted : SIGINT;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::_Exit(128 + signal);
}

ProgressFunction progress_bar(const Common& common) {
  listen_for_interrupts();
  return [quiet = common.quiet, bar = Bar()](const Progress& p) mutable {
    if (interrupted) throw Interrupted();
    if (!quiet) bar(p);
  };
}

void end_progress() {
  if (bar_is_open) std::fputc('\n', stderr);
  bar_is_open = false;
}

void note(const Common& common, const std::string& text) {
  if (common.quiet) return;
  end_progress();
  std::fprintf(stderr, "%s\n", printable(text).c_str());
}

void note_left_out(const Common& common, const io::Dataset& data) {
  constexpr size_t shown = 20;
  for (size_t i = 0; i < std::min(shown, data.left_out.size()); ++i)
    note(common, "left out " + data.left_out[i].path + ": " + data.left_out[i].reason);
  if (data.left_out.size() > shown)
    note(common, str_cat("and ", data.left_out.size() - shown, " more were left out"));
  if (const size_t n = data.other_files.size())
    note(common,
         str_cat("passed over ", n,
                 n == 1 ? " file that is no picture: " : " files that are no pictures, the first: ",
                 data.other_files[0]));
}

int report_skipped(const std::vector<io::SkippedSample>& skipped, const io::Dataset& data) {
  end_progress();
  for (const auto& s : skipped)
    std::fprintf(stderr, "skipped %s\n", printable(s.path + ": " + s.reason).c_str());
  if (!skipped.empty())
    std::fprintf(stderr, "%zu picture%s skipped\n", skipped.size(),
                 skipped.size() == 1 ? " was" : "s were");
  return skipped.empty() && data.left_out.empty() ? done : some_skipped;
}

void print_json(const nlohmann::ordered_json& object) {
  // File names may hold any bytes: what is not UTF-8 is replaced.
  using handler = nlohmann::ordered_json::error_handler_t;
  std::printf("%s\n", object.dump(-1, ' ', false, handler::replace).c_str());
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * share);
  return text;
}

void print_report(const std::vector<std::string>& classes,
                  const std::vector<std::vector<int64_t>>& confusion) {
  size_t width = 12;
  std::vector<std::string> names;
  for (const auto& c : classes) names.push_back(printable(c));
  for (const auto& c : names) width = std::max(width, c.size());
  const int w = static_cast<int>(width);
  std::printf("%*s  precision  recall      f1  samples\n", w, "");
  const auto all = scores(confusion);
  for (size_t c = 0; c < classes.size(); ++c)
    std::printf("%*s  %9.3f %7.3f %7.3f %8ld\n", w, names[c].c_str(), all[c].precision,
                all[c].recall, all[c].f1, all[c].samples);
  std::printf("\nconfusion (rows: true, columns: predicted)\n%*s", w, "");
  for (const auto& c : names) std::printf(" %6.6s", c.c_str());
  std::printf("\n");
  for (size_t t = 0; t < classes.size(); ++t) {
    std::printf("%*s", w, names[t].c_str());
    for (int64_t n : confusion[t]) std::printf(" %6ld", n);
    std::printf("\n");
  }
}

nlohmann::ordered_json report_json(const std::vector<std::string>& classes,
                                   const std::vector<std::vector<int64_t>>& confusion) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  const auto all = scores(confusion);
  for (size_t c = 0; c < classes.size(); ++c)
    out[classes[c]] = {{"precision", all[c].precision},
                       {"recall", all[c].recall},
                       {"f1", all[c].f1},
                       {"samples", all[c].samples}};
  return out;
}

}  // namespace limbic::cli
