#pragma once
// cli: one verb a file; nothing but reading arguments and printing. Results go to standard output,
// all else to standard error.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "limbic/core/progress.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/train/communicator.h"

namespace limbic::cli {

/// Options that every verb has.
struct Common {
  int threads = 0;
  uint64_t seed = 0;
  bool quiet = false;
  int64_t max_pixels = io::most_pixels();
  std::string format = "text";
  bool json() const { return format == "json"; }
};

/// Exit statuses (CLI.md): 0 done, 1 failed, 2 wrong usage, 3 done but some inputs were skipped.
enum Status { done = 0, failed = 1, wrong_usage = 2, some_skipped = 3 };

/// The words of the command, as they were typed; main fills it in.
std::string& command_line();

/// The processes that this program works with; one alone unless main has set another. Only the
/// first of them writes files (`leads`), and prints.
train::Communicator& communicator();
void set_communicator(train::Communicator& communicator);

/// Text for a terminal: control characters, which a file's name may hold, as "\\x1b".
std::string printable(const std::string& text);

/// Thrown by a progress function after Ctrl-C: what was begun is taken back on the way out.
struct Interrupted {};
/// What somebody who stops the work now should know: how to go on.
void when_interrupted(const std::string& advice);
/// Also called then, in the signal's handler.
void hook_interruption(void (*hook)());
/// Says so, and ends as a program does that was interrupted.
[[noreturn]] void end_interrupted();

/// Draws a line with rate and remaining time on a terminal, as wide as that is, plain lines
/// otherwise; nothing with --quiet. From here on Ctrl-C throws Interrupted.
ProgressFunction progress_bar(const Common& common);
/// Ends a bar that is being drawn, so that the next line stands alone.
void end_progress();
/// The line that an error ends in, on standard error; of one rank of several it names the rank.
void say_failed(const std::string& reason);

/// A remark on standard error, unless --quiet.
void note(const Common& common, const std::string& text);
/// Before the work: what of a folder is no part of its data set.
void note_left_out(const Common& common, const io::Dataset& data);
/// Names each skipped picture and why; returns some_skipped if there is one or something was left
/// out of `data`, else done.
int report_skipped(const std::vector<io::SkippedSample>& skipped, const io::Dataset& data = {});

/// One JSON object on a line of standard output.
void print_json(const nlohmann::ordered_json& object);

/// "93.12 %".
std::string percent(double share);
/// precision, recall, F1 and support for each class, then the confusion matrix.
void print_report(const std::vector<std::string>& classes,
                  const std::vector<std::vector<int64_t>>& confusion);
/// The same for JSON: {"awe": {"precision":..,"recall":..,"f1":..,"samples":..}, ...}.
nlohmann::ordered_json report_json(const std::vector<std::string>& classes,
                                   const std::vector<std::vector<int64_t>>& confusion);

}  // namespace limbic::cli
