#include "limbic/baselines/bag_of_words.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "limbic/baselines/dense_sift.h"
#include "limbic/baselines/kmeans.h"
#include "limbic/core/random.h"

namespace limbic::baselines {
namespace {

std::vector<DenseSift> all_scales(const io::Picture& picture, const VocabularyOptions& o) {
  const Grey grey = to_grey(picture);
  std::vector<DenseSift> out;
  for (const int64_t bin : o.bin_sizes)
    out.push_back(dense_sift(grey, {.step = o.step, .bin_size = bin}));
  return out;
}

}  // namespace

Vocabulary learn_vocabulary(const io::Dataset& data, const VocabularyOptions& o,
                            const ProgressFunction& progress) {
  const int64_t quota = std::max<int64_t>(1, o.descriptors / std::max<int64_t>(1, data.size()));
  std::vector<std::vector<float>> parts(data.samples.size());
  for_each_picture(data, longest_side, "sampling SIFT descriptors", progress,
                   [&](size_t sample, const io::Picture& picture) {
                     std::vector<const float*> rows;
                     const std::vector<DenseSift> scales = all_scales(picture, o);
                     for (const DenseSift& scale : scales)
                       for (int64_t i = 0; i < std::ssize(scale.x); ++i)
                         rows.push_back(scale.descriptors.data() + 128 * i);
                     Random random(combine(o.seed, hash_name("descriptors")), sample);
                     random.shuffle(rows);
                     rows.resize(std::min<size_t>(rows.size(), static_cast<size_t>(quota)));
                     for (const float* row : rows)
                       parts[sample].insert(parts[sample].end(), row, row + 128);
                   });
  std::vector<float> values;
  for (std::vector<float>& part : parts) {
    if (std::ssize(values) / 128 >= o.descriptors) break;
    values.insert(values.end(), part.begin(), part.end());
    part = {};
  }
  const int64_t n = std::ssize(values) / 128;
  require(n > 0, "not one of the ", data.size(),
          " pictures to learn from can be read and has 13 x 13 pixels, which SIFT needs");
  const Tensor x = Tensor::of(values, {n, 128});
  const int64_t words = std::clamp<int64_t>(n / 20, 2, o.words);
  return {o, kmeans(x, {.clusters = words, .seed = o.seed}, progress).centres, n};
}

PlacedWords words_of(const Vocabulary& vocabulary, const io::Picture& picture) {
  PlacedWords out;
  for (const DenseSift& scale : all_scales(picture, vocabulary.options)) {
    const std::vector<int64_t> nearest = nearest_centres(vocabulary.centres, scale.descriptors);
    for (size_t i = 0; i < nearest.size(); ++i) {
      const auto cell = [](float at, int64_t size) {
        return std::min<int64_t>(3, static_cast<int64_t>(4 * at / static_cast<float>(size)));
      };
      out.word.push_back(static_cast<int32_t>(nearest[i]));
      out.cell.push_back(static_cast<uint8_t>(4 * cell(scale.y[i], picture.height) +
                                              cell(scale.x[i], picture.width)));
    }
  }
  return out;
}

std::vector<WordCounts> block_counts(const PlacedWords& words, const std::vector<int64_t>& grids) {
  std::vector<WordCounts> out;
  for (const int64_t grid : grids) {
    require(grid == 1 || grid == 2 || grid == 4, "pyramid: expected a grid of 1, 2 or 4, got ",
            grid);
    const int64_t side = 4 / grid;
    std::vector<std::map<int32_t, float>> counts(static_cast<size_t>(grid * grid));
    for (size_t i = 0; i < words.word.size(); ++i) {
      const int64_t block = words.cell[i] / 4 / side * grid + words.cell[i] % 4 / side;
      counts[static_cast<size_t>(block)][words.word[i]] += 1;
    }
    for (const auto& block : counts) out.emplace_back(block.begin(), block.end());
  }
  return out;
}

std::vector<float> pyramid(const PlacedWords& words, const std::vector<int64_t>& grids,
                           int64_t vocabulary, Pooling pooling) {
  const std::vector<WordCounts> blocks = block_counts(words, grids);
  std::vector<float> out(blocks.size() * static_cast<size_t>(vocabulary));
  for (size_t b = 0; b < blocks.size(); ++b) {
    float sum = 0;
    for (const auto& entry : blocks[b]) sum += entry.second;
    for (const auto& [word, count] : blocks[b])
      out[b * static_cast<size_t>(vocabulary) + static_cast<size_t>(word)] =
          pooling == Pooling::maximum ? 1 : std::sqrt(count / sum);
  }
  return out;
}

}  // namespace limbic::baselines
