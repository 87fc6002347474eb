// SentiBank. Source: Borth, Ji, Chen, Breuel, Chang, "Large-scale visual sentiment ontology and
// detectors using adjective noun pairs", ACM MM 2013: an ontology of more than 3,000 pairs, 1,200
// linear detectors, whose responses are the features. What we remember of them: RGB histograms of
// 3 x 256, GIST of 512, LBP of 53, 1,000 SIFT words in a two-level pyramid under maximum pooling,
// and 2,000 attributes.
//
// Our reading: all but the attributes, with the 58 uniform LBP that VLFeat has, each of L2 norm 1,
// side by side; a linear SVM a pair against pictures of other pairs, at most five for one of its
// own; responses standardised, then softmax (a variant: SVM). The half million photographs of
// Flickr and the detectors trained on them are not to be had: the pairs are folders that the user
// has.
#include <algorithm>
#include <cmath>

#include "limbic/baselines/bag_of_words.h"
#include "limbic/baselines/chosen_softmax.h"
#include "limbic/baselines/gist.h"
#include "limbic/baselines/lbp.h"
#include "limbic/baselines/pairs.h"
#include "limbic/baselines/rows.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/io/resize.h"

namespace limbic::baselines {
namespace {

constexpr int64_t most_pictures = 120000;  // of all pairs: 3 GB of features
constexpr int64_t others_for_one = 5;

void append_unit(std::vector<float>& out, const std::vector<float>& block) {
  double squares = 0;
  for (const float v : block) squares += double{v} * double{v};
  const auto factor = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
  for (const float v : block) out.push_back(v * factor);
}

// Square roots of the shares of each value of red, green and blue: 768.
std::vector<float> colour_histogram(const io::Picture& picture) {
  std::vector<float> out(3 * 256);
  for (size_t i = 0; i < picture.pixels.size(); ++i) out[i % 3 * 256 + picture.pixels[i]] += 1;
  for (float& v : out) v = std::sqrt(v);
  return out;
}

std::vector<float> features_of(const Vocabulary& vocabulary, const io::Picture& picture) {
  std::vector<float> out;
  append_unit(out, colour_histogram(picture));
  append_unit(out, gist(to_grey(io::resize(picture, {.height = 128, .width = 128}))));
  append_unit(out, lbp_histogram(to_grey(picture)));
  append_unit(out,
              pyramid(words_of(vocabulary, picture), {1, 2}, vocabulary.size(), Pooling::maximum));
  return out;
}

// A pair's own pictures and as many of others as are drawn for them.
LinearSvm train_detector(const Features& pictures, int64_t pair, uint64_t seed) {
  std::vector<int64_t> rows, others;
  for (size_t i = 0; i < pictures.labels.size(); ++i)
    (pictures.labels[i] == pair ? rows : others).push_back(static_cast<int64_t>(i));
  if (rows.empty()) return {};
  Random(combine(seed, hash_name("detectors")), static_cast<uint64_t>(pair)).shuffle(others);
  const size_t own = rows.size(), most = std::max<size_t>(100, others_for_one * own);
  others.resize(std::min(others.size(), most));
  rows.insert(rows.end(), others.begin(), others.end());
  std::vector<int8_t> y(rows.size(), -1);
  std::fill_n(y.begin(), own, static_cast<int8_t>(1));
  return train_linear_svm(
      {pictures.x, rows, y},
      {.positive_weight =
           static_cast<double>(std::max<size_t>(1, others.size())) / static_cast<double>(own),
       .max_passes = 200,
       .seed = combine(seed, static_cast<uint64_t>(pair))});
}

class LearntSentiBank : public Learnt {
 public:
  LearntSentiBank(const Setting& s, const ProgressFunction& progress) {
    learn_detectors(s, progress);
    const Features train = responses(s.train, progress);
    require_two_classes(train.labels, s.train);
    const Features validation = responses(s.validation, progress);
    const int64_t classes = std::ssize(s.train.classes);
    softmax_.emplace(train, validation, classes, s.seed);
    svm_.emplace(train, validation, classes,
                 SvmCandidates{.linear_C = {0.01, 0.1}, .rbf_C = {1, 10}, .seed = s.seed});
    notes.push_back(softmax_->description());
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    const Features f = responses(data, progress);
    variants_ = {
        {"responses, " + svm_->description(), spread(svm_->predict(f.x), f.indices, data.size())}};
    return spread(softmax_->predict(f.x), f.indices, data.size());
  }

 private:
  void learn_detectors(const Setting& s, const ProgressFunction& progress) {
    const io::Dataset pairs = read_pairs(s.pairs, most_pictures, s.seed, notes);
    vocabulary_ = learn_vocabulary(pairs, {.seed = s.seed}, progress);
    if (vocabulary_.size() < 1000)
      notes.push_back(str_cat(vocabulary_.size(), " SIFT words from ", vocabulary_.descriptors,
                              " descriptors in place of 1,000"));
    const Features pictures = extract(pairs, longest_side, features(), progress);
    const int64_t n = std::ssize(pairs.classes), d = pictures.x.dim(1);
    detectors_ = {Tensor({n, d}), Tensor({n}), true};
    std::vector<int8_t> converged(pairs.classes.size(), 1);
    parallel_for_dynamic(n, [&](int64_t pair) {
      const LinearSvm detector = train_detector(pictures, pair, s.seed);
      if (detector.w.empty()) return;
      for (int64_t j = 0; j < d; ++j)
        detectors_.weight.data()[pair * d + j] =
            static_cast<float>(detector.w[static_cast<size_t>(j)]);
      detectors_.bias.data()[pair] = static_cast<float>(detector.w.back());
      converged[static_cast<size_t>(pair)] = detector.converged;
    });
    const auto open = std::count(converged.begin(), converged.end(), 0);
    if (open > 0) notes.push_back(str_cat(open, " detectors reached their limit of passes"));
  }

  FeatureFunction features() const {
    return [this](const io::Picture& picture) { return features_of(vocabulary_, picture); };
  }

  Features responses(const io::Dataset& data, const ProgressFunction& progress) const {
    Features out = extract(data, longest_side, features(), progress);
    if (!out.labels.empty()) out.x = detectors_.decisions(out.x);
    return out;
  }

  Vocabulary vocabulary_;
  LinearClassifier detectors_;
  std::optional<ChosenSoftmax> softmax_;
  std::optional<ChosenSvm> svm_;
};

}  // namespace

Row sentibank_row() {
  return {.name = "sentibank",
          .method = "SentiBank",
          .type = "handcrafted",
          .printed = 0.4909,
          .source =
              "Borth et al., ACM MM 2013: 1,200 linear detectors of adjective-noun pairs over "
              "colour, GIST, LBP, SIFT words and attributes; their responses are the features.",
          .reading =
              "Detectors from the user's folders of pairs, over RGB histograms, GIST, 58 LBP "
              "and max-pooled SIFT words, without attributes; responses standardised, then "
              "softmax; the variant is an SVM.",
          .needs = [](const Setting& s) -> std::string {
            return s.pairs.empty()
                       ? "needs --pairs: a folder of adjective-noun pairs, one sub-folder "
                         "of pictures a pair; the original's photographs and detectors "
                         "are not to be had"
                       : "";
          },
          .learn = learn_row<LearntSentiBank, sentibank_row>};
}

}  // namespace limbic::baselines
