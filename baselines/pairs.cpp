#include "limbic/baselines/pairs.h"

#include <algorithm>

#include "limbic/core/random.h"

namespace limbic::baselines {

io::Dataset read_pairs(const std::string& dir, int64_t most_pictures, uint64_t seed,
                       std::vector<std::string>& notes) {
  const io::FolderScan scan = io::scan_folders(dir);
  const std::vector<int64_t> counts = scan.dataset.class_counts();
  io::Dataset out;
  std::vector<int64_t> label(counts.size(), -1);
  for (size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) continue;
    label[c] = std::ssize(out.classes);
    out.classes.push_back(scan.dataset.classes[c]);
  }
  require(out.classes.size() >= 2, dir,
          ": expected at least two sub-folders of pictures, one an "
          "adjective-noun pair, got ",
          out.classes.size());
  const int64_t quota = std::max<int64_t>(2, most_pictures / std::ssize(out.classes));
  std::vector<std::vector<io::Sample>> of_pair(out.classes.size());
  for (const io::Sample& s : scan.dataset.samples)
    of_pair[static_cast<size_t>(label[static_cast<size_t>(s.label)])].push_back(s);
  bool reduced = false;
  for (size_t p = 0; p < of_pair.size(); ++p) {
    auto& samples = of_pair[p];
    if (std::ssize(samples) > quota) {
      Random(combine(seed, hash_name("pairs")), p).shuffle(samples);
      samples.resize(static_cast<size_t>(quota));
      reduced = true;
    }
    for (io::Sample& s : samples)
      out.samples.push_back({std::move(s.path), static_cast<int64_t>(p)});
  }
  notes.push_back(str_cat(out.classes.size(), " pairs, ", out.size(), " pictures",
                          reduced ? str_cat(" (at most ", quota, " a pair)") : ""));
  return out;
}

}  // namespace limbic::baselines
