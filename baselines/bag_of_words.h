#pragma once
#include "limbic/baselines/pictures.h"
#include "limbic/baselines/plsa.h"

namespace limbic::baselines {

constexpr int64_t longest_side = 256;  ///< Pixels of a picture before SIFT.

struct VocabularyOptions {
  int64_t words = 1000;          ///< At most; there are at least 20 descriptors a word.
  int64_t descriptors = 200000;  ///< Of all pictures together, at most.
  int64_t step = 8;
  std::vector<int64_t> bin_sizes = {4, 6, 8};
  uint64_t seed = 0;
};

/// Visual words: centres of k-means over dense SIFT descriptors.
struct Vocabulary {
  VocabularyOptions options;
  Tensor centres;           ///< (words,128).
  int64_t descriptors = 0;  ///< That it was learnt from.

  int64_t size() const { return centres.dim(0); }
};

/// Learns from the pictures that can be read, as many descriptors of each. Throws Error where not
/// one picture is large enough for a descriptor.
Vocabulary learn_vocabulary(const io::Dataset& data, const VocabularyOptions& options,
                            const ProgressFunction& progress);

/// The words of a picture and in which of 4 x 4 cells, row by row, each lies.
struct PlacedWords {
  std::vector<int32_t> word;
  std::vector<uint8_t> cell;
};
PlacedWords words_of(const Vocabulary& vocabulary, const io::Picture& picture);

/// Counts of the words in each block: grid x grid blocks for each of `grids`, which divide 4.
std::vector<WordCounts> block_counts(const PlacedWords& words, const std::vector<int64_t>& grids);

enum class Pooling {
  average,  ///< A word's share of its block, square root: each block has L2 norm 1 or 0.
  maximum,  ///< 1 where the block has the word.
};
/// The blocks of a spatial pyramid one after the other, `vocabulary` values each (Lazebnik, Schmid,
/// Ponce 2006, blocks of all levels weighing the same).
std::vector<float> pyramid(const PlacedWords& words, const std::vector<int64_t>& grids,
                           int64_t vocabulary, Pooling pooling);

}  // namespace limbic::baselines
