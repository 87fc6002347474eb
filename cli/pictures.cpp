#include "limbic/cli/pictures.h"

#include "limbic/cli/output.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/decode.h"

namespace limbic::cli {
namespace {

// What comes on standard input, as a file that can be opened by its name.
std::string keep_standard_input() {
  const int file = ::memfd_create("standard input", 0);
  require(file >= 0, "-: no memory for what comes on standard input");
  std::array<char, 1 << 16> part;
  int64_t bytes = 0;
  for (ssize_t n; (n = ::read(STDIN_FILENO, part.data(), part.size())) != 0; bytes += n) {
    require(n > 0, "-: standard input cannot be read");
    require(
        ::write(file, part.data(), static_cast<size_t>(n)) == n && bytes < io::most_picture_bytes,
        "-: standard input is longer than 1 GB");
  }
  require(bytes > 0, "-: nothing came on standard input");
  return str_cat("/proc/self/fd/", file);  // open until the program ends
}

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == cell.npos) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace

void Pictures::add_to(const Verb& app) {
  app.add_option("images", arguments_,
                 "pictures, folders with pictures, - for one on standard input")
      .required();
  app.add_option("--out", csv_path_, "also write the answers into this .csv");
}

void Pictures::open(const Common& common) {
  for (const std::string& argument : arguments_) {
    if (argument == "-") {
      require(standard_input_.empty(), "-: standard input holds one picture");
      paths_.push_back(standard_input_ = keep_standard_input());
    } else if (std::filesystem::is_directory(argument)) {
      const auto found = io::pictures_below(argument);
      require(!found.empty(), argument, ": no pictures in this folder");
      note(common, str_cat(argument, ": ", found.size(), " pictures"));
      paths_.insert(paths_.end(), found.begin(), found.end());
    } else {
      paths_.push_back(argument);
    }
  }
  require_writable(csv_path_);
}

const std::string& Pictures::shown(const std::string& path) const {
  static const std::string dash = "-";
  return path == standard_input_ && !path.empty() ? dash : path;
}

void Pictures::write(const std::vector<std::string>& cells) {
  if (csv_path_.empty()) return;
  for (size_t i = 0; i < cells.size(); ++i) csv_ += (i ? "," : "") + quoted(cells[i]);
  csv_ += '\n';
}

void Pictures::skip(const std::string& path, const std::string& reason) {
  skipped_.push_back({shown(path), reason});
}

int answer_all(const Common& common, Pictures& pictures, const session::Session& session,
               const std::string& task,
               const std::function<void(const std::string&, const session::Answer&)>& take) {
  const auto total = std::ssize(pictures.paths()), batch = session.batch();
  const ProgressFunction progress = total > batch ? progress_bar(common) : ProgressFunction{};
  for (int64_t begin = 0; begin < total; begin += batch) {
    const int64_t n = std::min(batch, total - begin);
    const std::span<const std::string> paths(pictures.paths().data() + begin,
                                             static_cast<size_t>(n));
    const auto outcomes = session.answer_each(paths.size(), [&](size_t i, session::Prepared& into) {
      return io::reason_to_skip(paths[i], [&] {
        into = session.prepare(read_file(paths[i], io::most_picture_bytes), paths[i]);
      });
    });
    for (size_t i = 0; i < paths.size(); ++i) {
      const std::string &shown = pictures.shown(paths[i]), &error = outcomes[i].error;
      if (error.empty()) {
        take(shown, outcomes[i].answer);
        continue;
      }
      if (common.json()) std::printf("%s\n", session::error_json(error, shown).c_str());
      pictures.skip(paths[i], error);
    }
    if (progress) progress({.task = task, .done = begin + n, .total = total});
  }
  return pictures.finish();
}

int Pictures::finish() {
  if (!csv_path_.empty()) write_atomically(csv_path_, [&](std::ostream& out) { out << csv_; });
  const int status = report_skipped(skipped_);
  return status == some_skipped && skipped_.size() == paths_.size() ? failed : status;
}

}  // namespace limbic::cli
