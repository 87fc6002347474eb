// AlexNet (fine-tuned). Source: You, Luo, Jin, Yang, "Building a large scale dataset for image
// emotion recognition", AAAI 2016, arXiv:1605.02677: CaffeNet from ImageNet, its last layer made
// one of eight classes, all layers fine-tuned.
//
// Our reading: torchvision's `alexnet` from weights that the user has, all layers at the training's
// rate and the new last layer at ten times that, as we remember it; fresh where there are none,
// then all at one rate.
#include "limbic/baselines/cnn.h"
#include "limbic/baselines/rows.h"

namespace limbic::baselines {
namespace {

class LearntAlexNet : public Learnt {
 public:
  LearntAlexNet(const Setting& s, const ProgressFunction& progress) {
    const int64_t size = alexnet_size(s, notes);
    network_ = open_cnn("alexnet",
                        {.model = s.alexnet_model,
                         .weights = s.alexnet_weights,
                         .classes = std::ssize(s.train.classes),
                         .image_size = size},
                        s, notes);
    const bool fresh = s.alexnet_weights.empty();
    if (fresh) notes.push_back("fresh weights, not ImageNet's: learnt from these pictures alone");
    train_cnn(network_, "alexnet", {s.train, s.validation}, s, progress, notes,
              [&](train::TrainOptions& o) {
                if (!fresh)
                  o.sgd.rate_factors = {{network_.model.classifier, 10}};
                else
                  lower_fresh_rate(o, notes);
              });
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    return answers_of(network_, data, progress);
  }

 private:
  network::Network network_;
};

}  // namespace

Row alexnet_row() {
  return {.name = "alexnet",
          .method = "AlexNet (fine-tuned)",
          .type = "deep",
          .printed = 0.5655,
          .source =
              "You et al., AAAI 2016: CaffeNet from ImageNet, the last layer made one of eight "
              "classes, all layers fine-tuned.",
          .reading =
              "alexnet from the weights given, the new last layer at ten times the rate of "
              "the others; fresh, and at one rate, where none are given.",
          .needs = needs_nothing,
          .learn = learn_row<LearntAlexNet, alexnet_row>};
}

}  // namespace limbic::baselines
