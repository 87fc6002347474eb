#include "limbic/baselines/plsa.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/core/simd.h"

namespace limbic::baselines {
namespace {

constexpr float least = 1e-20f;  // of a probability that is divided by

// expected(z) += count p(z|d,w), which is what the document's word says of its topics; returns
// p(w|d).
LIMBIC_MULTIVERSION float expect(const float* word, const float* topic, int64_t k, float count,
                                 float* expected, float* posterior) {
  float parts[16] = {};
  int64_t z = 0;
  for (; z + 16 <= k; z += 16)
    for (int64_t i = 0; i < 16; ++i) {
      posterior[z + i] = word[z + i] * topic[z + i];
      parts[i] += posterior[z + i];
    }
  float sum = 0;
  for (; z < k; ++z) sum += posterior[z] = word[z] * topic[z];
  for (const float p : parts) sum += p;
  const float factor = count / std::max(sum, least);
  for (z = 0; z < k; ++z) {
    posterior[z] *= factor;
    expected[z] += posterior[z];
  }
  return std::max(sum, least);
}

void make_sum_one(float* values, int64_t n, int64_t stride) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{values[i * stride]};
  for (int64_t i = 0; i < n; ++i)
    values[i * stride] =
        sum > 0 ? static_cast<float>(double{values[i * stride]} / sum) : 1 / static_cast<float>(n);
}

struct Part {
  Tensor word_topic;  // (words,topics): expected counts
  double likelihood = 0;
};

// One round over documents [begin, end): their topics move, the words' are summed up.
Part round_over(const std::vector<WordCounts>& documents, int64_t begin, int64_t end,
                const Tensor& word_given_topic, Tensor& topics) {
  const int64_t k = topics.dim(1);
  Part out{Tensor(word_given_topic.shape()), 0};
  std::vector<float> expected(static_cast<size_t>(k)), posterior(static_cast<size_t>(k));
  for (int64_t d = begin; d < end; ++d) {
    float* topic = topics.data() + d * k;
    std::fill(expected.begin(), expected.end(), 0.0f);
    for (const auto& [word, count] : documents[static_cast<size_t>(d)]) {
      const float p = expect(word_given_topic.data() + word * k, topic, k, count, expected.data(),
                             posterior.data());
      out.likelihood += double{count} * std::log(double{p});
      float* sum = out.word_topic.data() + word * k;
      for (int64_t z = 0; z < k; ++z) sum[z] += posterior[static_cast<size_t>(z)];
    }
    std::copy(expected.begin(), expected.end(), topic);
    make_sum_one(topic, k, 1);
  }
  return out;
}

}  // namespace

Plsa plsa(const std::vector<WordCounts>& documents, int64_t words, const PlsaOptions& o,
          const ProgressFunction& progress) {
  require(o.topics >= 1 && o.max_rounds >= 1 && words >= 1,
          "pLSA: topics, rounds and words must be positive");
  bool any = false;
  for (const WordCounts& document : documents)
    for (const auto& [word, count] : document) {
      require(word >= 0 && word < words, "pLSA: word ", word, " of ", words);
      any = any || count > 0;
    }
  require(any, "pLSA: not one of the ", documents.size(), " documents has a word");
  Plsa out{Tensor({words, o.topics}), {}};
  Random random(o.seed, hash_name("pLSA"));
  for (float& v : out.word_given_topic.values()) v = static_cast<float>(0.5 + random.uniform());
  for (int64_t z = 0; z < o.topics; ++z)
    make_sum_one(out.word_given_topic.data() + z, words, o.topics);
  const int64_t n = std::ssize(documents);
  Tensor topics({n, o.topics});
  for (float& v : topics.values()) v = 1 / static_cast<float>(o.topics);
  // A fixed number of parts, whatever the threads: sums are the same.
  const int64_t parts = std::min<int64_t>(n, 16);
  for (int64_t round = 0; round < o.max_rounds; ++round) {
    if (progress)
      progress({.task = "pLSA", .done = round, .total = o.max_rounds, .unit = "round", .note = {}});
    std::vector<Part> sums(static_cast<size_t>(parts));
    parallel_for_dynamic(parts, [&](int64_t i) {
      sums[static_cast<size_t>(i)] =
          round_over(documents, n * i / parts, n * (i + 1) / parts, out.word_given_topic, topics);
    });
    double now = 0;
    Tensor next(out.word_given_topic.shape());
    for (const Part& part : sums) {
      now += part.likelihood;
      for (int64_t i = 0; i < next.size(); ++i) next.data()[i] += part.word_topic.data()[i];
    }
    const bool first = out.likelihood.empty();
    const double before = first ? 0 : out.likelihood.back();
    out.likelihood.push_back(now);
    if (!first && now - before < o.tolerance * std::abs(now)) break;
    for (int64_t z = 0; z < o.topics; ++z) make_sum_one(next.data() + z, words, o.topics);
    out.word_given_topic = next;
  }
  return out;
}

std::vector<float> topics_of(const Plsa& model, const WordCounts& document, int64_t rounds) {
  const int64_t k = model.word_given_topic.dim(1);
  const auto width = static_cast<size_t>(k);
  std::vector<float> topic(width, 1 / static_cast<float>(k)), expected(width), posterior(width);
  if (document.empty()) return topic;
  for (int64_t round = 0; round < rounds; ++round) {
    std::fill(expected.begin(), expected.end(), 0.0f);
    for (const auto& [word, count] : document)
      expect(model.word_given_topic.data() + word * k, topic.data(), k, count, expected.data(),
             posterior.data());
    topic = expected;
    make_sum_one(topic.data(), k, 1);
  }
  return topic;
}

}  // namespace limbic::baselines
