#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "limbic/core/progress.h"
#include "limbic/core/tensor.h"

namespace limbic::baselines {

/// How often each word is in a document: (word, count), each word once.
using WordCounts = std::vector<std::pair<int32_t, float>>;

struct PlsaOptions {
  int64_t topics = 100;
  int64_t max_rounds = 50;
  double tolerance = 1e-4;  ///< Ends where a round raises the likelihood by less than this part.
  uint64_t seed = 0;
};

struct Plsa {
  Tensor word_given_topic;  ///< F32 (words,topics): p(w|z), columns adding up to 1.
  /// Sum over documents and words of n(d,w) log p(w|d) before each round; never falls.
  std::vector<double> likelihood;
};

/// Probabilistic latent semantic analysis (Hofmann 1999): p(w|d) = sum over z of p(w|z) p(z|d) by
/// expectation maximisation, p(w|z) drawn at first. Documents without words do not count. Throws
/// Error without words, and for a word that is not one of `words`.
Plsa plsa(const std::vector<WordCounts>& documents, int64_t words, const PlsaOptions& options,
          const ProgressFunction& progress = {});

/// p(z|d) of a document by expectation maximisation with p(w|z) as it is, from equal parts, in
/// `rounds`: topics values adding up to 1; equal parts for a document without words.
std::vector<float> topics_of(const Plsa& model, const WordCounts& document, int64_t rounds = 20);

}  // namespace limbic::baselines
