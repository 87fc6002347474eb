#include "limbic/nn/cpu/tuner.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <utility>
#include <vector>

#include "limbic/core/clock.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/core/processor.h"
#include "limbic/nn/cpu/onednn/compat.h"

namespace limbic {
namespace {

constexpr int64_t largest_file = int64_t{8} << 20;

// Changes whenever an implementation does, so that old choices are forgotten.
std::string context() {
  return str_cat("limbic 1; ", processor_name(), "; oneDNN ", onednn::version());
}

// One for each version of oneDNN: the static program and a shared build stand beside each other.
std::string default_file() {
  const std::string name = str_cat("/limbic/tuning-", onednn::version(), ".txt");
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache) return cache + name;
  const char* home = std::getenv("HOME");
  return home && *home ? str_cat(home, "/.cache", name) : "";
}

// Reads more than the caches hold, on every thread.
void fill_caches() {
  static std::vector<float> other(size_t{12} << 20);
  parallel_ranges(static_cast<int64_t>(other.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 16) other[static_cast<size_t>(i)] += 1.0f;
  });
}

double median_seconds(const std::function<void()>& run) {
  std::vector<double> seconds;
  run();
  for (int i = 0; i < 5; ++i) {
    fill_caches();
    const double start = now();
    run();
    seconds.push_back(now() - start);
  }
  std::nth_element(seconds.begin(), seconds.begin() + 2, seconds.end());
  return seconds[2];
}

// The context in the first line; then for each choice a line with its key and, behind a tab, what
// was chosen.
std::map<std::string, std::string> read_choices(const std::string& file) {
  std::map<std::string, std::string> choices;
  std::error_code ignored;
  if (file.empty() || !std::filesystem::exists(file, ignored)) return choices;
  try {
    const auto bytes = read_file(file, largest_file);
    std::istringstream lines(std::string(bytes.begin(), bytes.end()));
    std::string line;
    if (!std::getline(lines, line) || line != context()) return choices;
    while (std::getline(lines, line))
      if (const size_t tab = line.find('\t'); tab != std::string::npos)
        choices[line.substr(0, tab)] = line.substr(tab + 1);
  } catch (const std::exception&) {  // damaged: time again
  }
  return choices;
}

}  // namespace

Tuner::Tuner(std::string file) : file_(std::move(file)), chosen_(read_choices(file_)) {}

Tuner::~Tuner() { save(); }

Tuner& Tuner::shared() {
  static Tuner tuner(default_file());
  return tuner;
}

namespace {

std::string with_threads(const std::string& key) { return str_cat(threads(), " threads; ", key); }

}  // namespace

std::optional<size_t> Tuner::find(const std::string& key,
                                  const std::vector<Candidate>& candidates) {
  const auto known = chosen_.find(with_threads(key));
  if (known == chosen_.end()) return std::nullopt;
  for (size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i].name == known->second) return i;
  return std::nullopt;
}

std::optional<size_t> Tuner::remembered(const std::string& key,
                                        const std::vector<Candidate>& candidates) {
  const std::lock_guard lock(mutex_);
  return find(key, candidates);
}

size_t Tuner::choose(const std::string& key, const std::vector<Candidate>& candidates) {
  const std::lock_guard lock(mutex_);
  if (const auto known = find(key, candidates)) return *known;
  size_t best = 0;
  double least = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double seconds = median_seconds(candidates[i].run);
    if (i > 0 && seconds >= least) continue;
    least = seconds;
    best = i;
  }
  chosen_[with_threads(key)] = unsaved_[with_threads(key)] = candidates[best].name;
  ++timed_;
  return best;
}

void Tuner::save() {
  const std::lock_guard lock(mutex_);
  if (unsaved_.empty() || file_.empty()) return;
  try {
    // Another process may have written meanwhile: its choices stay where none was made here.
    auto all = std::exchange(unsaved_, {});
    all.merge(read_choices(file_));
    std::filesystem::create_directories(std::filesystem::path(file_).parent_path());
    write_atomically(file_, [&](std::ostream& out) {
      out << context() << '\n';
      for (const auto& [key, choice] : all) out << key << '\t' << choice << '\n';
    });
  } catch (const std::exception&) {  // a cache that cannot be written is no cache
  }
}

}  // namespace limbic
