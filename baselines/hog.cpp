// HOG. Source: cited from Yang, She, Lai, Yang, "Retrieving and classifying affective images via
// deep metric learning", AAAI 2018, where neither sizes nor classifier are said.
//
// Our reading: Dalal and Triggs, CVPR 2005, on 128 x 128 pixels: cells of 8 pixels, blocks of 2 x 2
// cells one cell apart, 9 unsigned orientations, L2-Hys: 8,100 values. Linear or RBF SVM, as the
// validation pictures say.
#include "limbic/baselines/chosen_svm.h"
#include "limbic/baselines/hog_descriptor.h"
#include "limbic/baselines/rows.h"
#include "limbic/io/resize.h"

namespace limbic::baselines {
namespace {

std::vector<float> features_of(const io::Picture& picture) {
  return hog_descriptor(to_grey(io::resize(picture, {.height = 128, .width = 128})));
}

class LearntHog : public Learnt {
 public:
  LearntHog(const Setting& s, const ProgressFunction& progress) {
    const Features train = extract(s.train, 0, features_of, progress);
    require_two_classes(train.labels, s.train);
    const Features validation = extract(s.validation, 0, features_of, progress);
    if (progress)
      progress({.task = "choosing the SVM", .done = 0, .total = 1, .unit = "model", .note = {}});
    svm_.emplace(train, validation, std::ssize(s.train.classes),
                 SvmCandidates{.linear_C = {0.001, 0.01, 0.1},
                               .rbf_C = {1, 10},
                               .standardise = false,
                               .seed = s.seed});
    notes.push_back(svm_->description());
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    const Features f = extract(data, 0, features_of, progress);
    return spread(svm_->predict(f.x), f.indices, data.size());
  }

 private:
  std::optional<ChosenSvm> svm_;
};

}  // namespace

Row hog_row() {
  return {
      .name = "hog",
      .method = "HOG",
      .type = "handcrafted",
      .printed = 0.4467,
      .source = "Cited from Yang et al., AAAI 2018, where neither sizes nor classifier are said.",
      .reading =
          "Dalal and Triggs on 128 x 128 pixels: cells of 8, blocks of 2 x 2, 9 unsigned "
          "orientations, L2-Hys, 8,100 values; linear or RBF SVM.",
      .needs = needs_nothing,
      .learn = learn_row<LearntHog, hog_row>};
}

}  // namespace limbic::baselines
