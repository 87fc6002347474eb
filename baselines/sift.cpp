// SIFT. Source: Rao, Xu, Liu, Wang, Burnett, "Multi-scale blocks based image emotion classification
// using multiple instance learning", ICIP 2016: blocks at several scales, by a pyramid or by
// superpixels; each block a bag of SIFT words; pLSA gives the block's topics; multiple-instance
// learning names the dominant emotion. Numbers of words and of topics are not known.
//
// Our reading: dense SIFT (step 8, bins of 4, 6 and 8 pixels), 1,000 words from 200,000
// descriptors, blocks of 1x1 + 2x2 + 4x4, 100 topics, mi-SVM over linear SVMs: 21 blocks a picture
// are too many rows for a kernel's. A variant leaves topics and instances out: the words' pyramid
// and an RBF SVM.
#include <algorithm>

#include "limbic/baselines/bag_of_words.h"
#include "limbic/baselines/chosen_svm.h"
#include "limbic/baselines/mi_svm.h"
#include "limbic/baselines/rows.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/svm/products.h"

namespace limbic::baselines {
namespace {

const std::vector<int64_t> grids = {1, 2, 4};
constexpr int64_t blocks = 21;
constexpr int64_t most_documents = 20000;  // that pLSA learns from

struct Words {
  std::vector<PlacedWords> pictures;
  std::vector<int64_t> labels, indices;
};

Words words_of_all(const Vocabulary& vocabulary, const io::Dataset& data,
                   const ProgressFunction& progress) {
  Words out;
  std::vector<PlacedWords> all(data.samples.size());
  out.indices = for_each_picture(data, longest_side, "SIFT words", progress,
                                 [&](size_t sample, const io::Picture& picture) {
                                   all[sample] = words_of(vocabulary, picture);
                                 });
  for (const int64_t i : out.indices) {
    out.pictures.push_back(std::move(all[static_cast<size_t>(i)]));
    out.labels.push_back(data.samples[static_cast<size_t>(i)].label);
  }
  return out;
}

Plsa learn_topics(const Words& words, int64_t vocabulary, uint64_t seed,
                  const ProgressFunction& progress) {
  std::vector<int64_t> order(words.pictures.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  Random(seed, hash_name("documents")).shuffle(order);
  order.resize(std::min<size_t>(order.size(), most_documents / blocks));
  std::vector<WordCounts> documents;
  for (const int64_t i : order)
    for (WordCounts& block : block_counts(words.pictures[static_cast<size_t>(i)], grids))
      documents.push_back(std::move(block));
  return plsa(documents, vocabulary,
              {.topics = std::clamp<int64_t>(vocabulary / 5, 2, 100), .seed = seed}, progress);
}

Bags topics_of_blocks(const Plsa& model, const Words& words) {
  const int64_t n = std::ssize(words.pictures), k = model.word_given_topic.dim(1);
  Bags out{Tensor({n * blocks, k}), blocks};
  parallel_for_dynamic(n, [&](int64_t i) {
    const auto counts = block_counts(words.pictures[static_cast<size_t>(i)], grids);
    for (int64_t b = 0; b < blocks; ++b) {
      const std::vector<float> topics = topics_of(model, counts[static_cast<size_t>(b)]);
      std::copy(topics.begin(), topics.end(), out.x.data() + (i * blocks + b) * k);
    }
  });
  return out;
}

Features pyramids(const Words& words, int64_t vocabulary) {
  const int64_t n = std::ssize(words.pictures), d = blocks * vocabulary;
  Features out{Tensor({n, d}), words.labels, words.indices};
  parallel_for_dynamic(n, [&](int64_t i) {
    const std::vector<float> row =
        pyramid(words.pictures[static_cast<size_t>(i)], grids, vocabulary, Pooling::average);
    std::copy(row.begin(), row.end(), out.x.data() + i * d);
  });
  return out;
}

Bags take_bags(const Bags& bags, const std::vector<int64_t>& which) {
  std::vector<int64_t> rows;
  for (const int64_t b : which)
    for (int64_t i = 0; i < bags.size; ++i) rows.push_back(b * bags.size + i);
  return {svm::take_rows(bags.x, rows), bags.size};
}

class LearntSift : public Learnt {
 public:
  LearntSift(const Setting& s, const ProgressFunction& progress)
      : classes_(std::ssize(s.train.classes)) {
    vocabulary_ = learn_vocabulary(s.train, {.seed = s.seed}, progress);
    const Words train = words_of_all(vocabulary_, s.train, progress);
    require_two_classes(train.labels, s.train);
    const Words validation = words_of_all(vocabulary_, s.validation, progress);
    plsa_ = learn_topics(train, vocabulary_.size(), s.seed, progress);
    learn_instances(train, validation, s.seed, progress);
    if (progress)
      progress({.task = "fitting the RBF SVM", .done = 0, .total = 1, .unit = "model", .note = {}});
    pyramid_svm_.emplace(
        pyramids(train, vocabulary_.size()), pyramids(validation, vocabulary_.size()), classes_,
        SvmCandidates{.linear_C = {}, .rbf_C = {1, 10}, .standardise = false, .seed = s.seed});
    notes.push_back(str_cat(vocabulary_.size(), " words from ", vocabulary_.descriptors,
                            " descriptors, ", plsa_.word_given_topic.dim(1), " topics",
                            vocabulary_.size() < 1000
                                ? " (fewer than 1,000 and 100: there are at "
                                  "least 20 descriptors a word, 5 words a topic)"
                                : ""));
    notes.push_back("bag of words, pyramid: " + pyramid_svm_->description());
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    const Words words = words_of_all(vocabulary_, data, progress);
    const std::vector<int64_t> plain = pyramid_svm_->predict(pyramids(words, vocabulary_.size()).x);
    variants_ = {{"bag of words, 1x1 + 2x2 + 4x4, " + pyramid_svm_->description(),
                  spread(plain, words.indices, data.size())}};
    return spread(predict_bags(mi_svm_, topics_of_blocks(plsa_, words)), words.indices,
                  data.size());
  }

 private:
  void learn_instances(const Words& train, const Words& validation, uint64_t seed,
                       const ProgressFunction& progress) {
    Words all = train;
    all.pictures.insert(all.pictures.end(), validation.pictures.begin(), validation.pictures.end());
    const Bags bags = topics_of_blocks(plsa_, all);
    const Folds folds = make_folds(train.labels, validation.labels, seed);
    double best = -1, best_C = 1;
    const std::vector<double> candidates = {0.1, 1, 10};
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (progress)
        progress({.task = "mi-SVM",
                  .done = static_cast<int64_t>(i),
                  .total = std::ssize(candidates),
                  .unit = "C",
                  .note = {}});
      const double accuracy =
          held_out_accuracy(folds, [&](const auto& learning, const auto& held_out) {
            std::vector<int64_t> labels;
            for (const int64_t b : learning) labels.push_back(folds.labels[static_cast<size_t>(b)]);
            return predict_bags(train_mi_svm(take_bags(bags, learning), labels, classes_,
                                             {.C = candidates[i], .seed = seed}),
                                take_bags(bags, held_out));
          });
      if (accuracy <= best) continue;
      best = accuracy;
      best_C = candidates[i];
    }
    std::vector<int64_t> own(train.labels.size());
    for (size_t i = 0; i < own.size(); ++i) own[i] = static_cast<int64_t>(i);
    mi_svm_ =
        train_mi_svm(take_bags(bags, own), train.labels, classes_, {.C = best_C, .seed = seed});
    notes.push_back(str_cat("mi-SVM with C ", best_C));
  }

  int64_t classes_;
  Vocabulary vocabulary_;
  Plsa plsa_;
  LinearClassifier mi_svm_;
  std::optional<ChosenSvm> pyramid_svm_;
};

}  // namespace

Row sift_row() {
  return {.name = "sift",
          .method = "SIFT",
          .type = "handcrafted",
          .printed = 0.3756,
          .source =
              "Rao et al., ICIP 2016: blocks at several scales, bags of SIFT words, pLSA "
              "topics a block, multiple-instance learning. Words and topics are not said.",
          .reading =
              "Dense SIFT (step 8, bins 4, 6, 8), 1,000 words, blocks 1x1 + 2x2 + 4x4, 100 "
              "pLSA topics, mi-SVM of linear SVMs; the variant is the words' pyramid with an "
              "RBF SVM.",
          .needs = needs_nothing,
          .learn = learn_row<LearntSift, sift_row>};
}

}  // namespace limbic::baselines
