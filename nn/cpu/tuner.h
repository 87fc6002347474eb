#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace limbic {

/// Which of several ways to compute a layer is fastest on this machine: timed once, then remembered
/// for the process and on disk, by processor, threads and the layer's shape.
///
/// The file is a cache and no more: one that is damaged, of another version or not writable costs
/// the timing again and is never an error.
class Tuner {
 public:
  /// `file` empty: remembers for this process alone.
  explicit Tuner(std::string file);
  /// $XDG_CACHE_HOME/limbic/tuning.json, or ~/.cache/limbic/tuning.json.
  static Tuner& shared();

  struct Candidate {
    std::string name;  ///< "direct", "winograd F(4,3)": what is remembered.
    std::function<void()> run;
  };
  /// Index of the candidate of that name that was fastest before; nothing where none is remembered.
  std::optional<size_t> remembered(const std::string& key,
                                   const std::vector<Candidate>& candidates);
  /// Index of the fastest. Between runs the caches are filled with other data, as a network's other
  /// layers do. `key` says everything that the times depend on but processor and threads.
  size_t choose(const std::string& key, const std::vector<Candidate>& candidates);
  /// How often layers were timed in this process rather than remembered.
  int timed() const { return timed_; }
  /// Writes what is new, for the next process: a plan's end, and this object's.
  void save();
  ~Tuner();

 private:
  std::optional<size_t> find(const std::string& key, const std::vector<Candidate>& candidates);

  std::mutex mutex_;
  std::string file_;
  // key -> candidate's name: all, and what was timed since the last `save`.
  std::map<std::string, std::string> chosen_, unsaved_;
  int timed_ = 0;
};

}  // namespace limbic
