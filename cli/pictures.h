#pragma once
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"
#include "limbic/session/session.h"

namespace limbic::cli {

/// Pictures named on the command line: files, folders with all below them, and `-` for one on
/// standard input; and what becomes of the answers.
class Pictures {
 public:
  void add_to(const Verb& app);
  /// Finds them. Throws Error where a folder holds none, or standard input has nothing.
  void open(const Common& common);

  const std::vector<std::string>& paths() const { return paths_; }
  /// As the user names it: "-" for the one on standard input.
  const std::string& shown(const std::string& path) const;

  /// A line of --out: the picture, then these cells; the first is the heading.
  void write(const std::vector<std::string>& cells);
  /// Remembers a picture that cannot be used; said at the end.
  void skip(const std::string& path, const std::string& reason);
  /// Names what was skipped, with one sum, and closes --out. The exit status.
  int finish();

 private:
  std::vector<std::string> arguments_, paths_;
  std::string csv_path_, csv_, standard_input_;
  std::vector<io::SkippedSample> skipped_;
};

/// Asks the model about each picture, in batches, and hands on the answers in their order; a
/// picture that cannot be used is skipped, with JSON on a line of its own. The exit status.
int answer_all(const Common& common, Pictures& pictures, const session::Session& session,
               const std::string& task,
               const std::function<void(const std::string& shown, const session::Answer&)>& take);
/// Finds the pictures and prints what the pipeline says of them, as `predict` does, computing up to
/// `batch_size` at once. The exit status.
int answer_emotions(const Common& common, Pictures& pictures, emotion::EmotionModel model,
                    int64_t batch_size);

}  // namespace limbic::cli
