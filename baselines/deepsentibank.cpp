// DeepSentiBank. Source: Chen, Borth, Darrell, Chang, "DeepSentiBank: visual sentiment concept
// classification with deep convolutional neural networks", arXiv:1410.8586: CaffeNet from ImageNet,
// fine-tuned to 2,089 adjective-noun pairs, whose probabilities are the features.
//
// Our reading: the network's weights from the user, or trained on the user's folders of pairs (from
// --alexnet-weights where they are given); an SVM, linear or RBF, on the probabilities and another
// on what the last hidden layer says; the row is the better one on the validation pictures, the
// variant the other.
#include "limbic/baselines/chosen_svm.h"
#include "limbic/baselines/cnn.h"
#include "limbic/baselines/pairs.h"
#include "limbic/baselines/rows.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::baselines {
namespace {

constexpr const char* model_of_pairs = "caffenet";

class LearntDeepSentiBank : public Learnt {
 public:
  LearntDeepSentiBank(const Setting& s, const ProgressFunction& progress) {
    open(s, progress);
    const auto [train, train_hidden] = features(s.train, progress);
    require_two_classes(train.labels, s.train);
    const auto [validation, validation_hidden] = features(s.validation, progress);
    const int64_t classes = std::ssize(s.train.classes);
    const SvmCandidates candidates{
        .linear_C = {0.001, 0.01, 0.1}, .rbf_C = {1, 10}, .seed = s.seed};
    probabilities_.emplace(train, validation, classes, candidates);
    hidden_.emplace(train_hidden, validation_hidden, classes, candidates);
    by_hidden_ = hidden_->accuracy() > probabilities_->accuracy();
    notes.push_back("read: " + (by_hidden_ ? hidden_name() : probabilities_name()));
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    const auto [outputs, hidden] = features(data, progress);
    std::vector<int64_t> first =
        spread(probabilities_->predict(outputs.x), outputs.indices, data.size());
    std::vector<int64_t> second = spread(hidden_->predict(hidden.x), hidden.indices, data.size());
    if (by_hidden_) {
      variants_ = {{probabilities_name(), std::move(first)}};
      return second;
    }
    variants_ = {{hidden_name(), std::move(second)}};
    return first;
  }

 private:
  std::string probabilities_name() const {
    return "probabilities of the pairs, " + probabilities_->description();
  }
  std::string hidden_name() const { return "the last hidden layer, " + hidden_->description(); }

  void open(const Setting& s, const ProgressFunction& progress) {
    const int64_t size = alexnet_size(s, notes);
    if (!s.deepsentibank_weights.empty()) {
      network_ =
          open_cnn("deepsentibank",
                   {.model = "", .weights = s.deepsentibank_weights, .image_size = size}, s, notes);
      return;
    }
    const io::Dataset pairs = read_pairs(s.pairs, 1 << 30, s.seed, notes);
    notes.push_back(
        str_cat(s.alexnet_weights.empty() ? str_cat(model_of_pairs, " from fresh weights")
                                          : s.alexnet_weights,
                ", trained on the folders of pairs, in place of the original's weights"));
    network_ = open_cnn("deepsentibank",
                        {.model = s.alexnet_weights.empty() ? model_of_pairs : "",
                         .weights = s.alexnet_weights,
                         .classes = std::ssize(pairs.classes),
                         .image_size = size},
                        s, notes);
    const io::Split parts = io::split(pairs, 0.85, s.seed);
    train_cnn(network_, "deepsentibank", {parts.train, parts.held_out}, s, progress, notes,
              [&](train::TrainOptions& o) {
                if (!s.alexnet_weights.empty())
                  o.sgd.rate_factors = {{network_.model.classifier, 10}};
                else
                  lower_fresh_rate(o, notes);
              });
  }

  std::pair<Features, Features> features(const io::Dataset& data,
                                         const ProgressFunction& progress) const {
    const LayerOutputs out = run_layers(network_, {"logits", "features"}, data, progress);
    if (out.labels.empty()) return {};
    const Tensor& p = out.rows[0];
    softmax_rows(p.values(), p.dim(1), p.values());
    return {{p, out.labels, out.indices}, {out.rows[1], out.labels, out.indices}};
  }

  network::Network network_;
  std::optional<ChosenSvm> probabilities_, hidden_;
  bool by_hidden_ = false;
};

}  // namespace

Row deepsentibank_row() {
  return {
      .name = "deepsentibank",
      .method = "DeepSentiBank",
      .type = "deep",
      .printed = 0.5410,
      .source =
          "Chen et al. 2014, arXiv:1410.8586: CaffeNet from ImageNet, fine-tuned to 2,089 "
          "adjective-noun pairs; their probabilities are the features.",
      .reading = str_cat("The weights given, or ", model_of_pairs,
                         " trained on the user's folders of pairs; SVMs on the probabilities and "
                         "on the last hidden layer, the better on the validation pictures."),
      .needs = [](const Setting& s) -> std::string {
        return s.pairs.empty() && s.deepsentibank_weights.empty()
                   ? "needs --deepsentibank-weights: a network fine-tuned to adjective-noun "
                     "pairs; or --pairs: a folder of them to train one, one sub-folder a pair"
                   : "";
      },
      .learn = learn_row<LearntDeepSentiBank, deepsentibank_row>};
}

}  // namespace limbic::baselines
