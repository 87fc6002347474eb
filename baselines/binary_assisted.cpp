// Binary Assisted. Source: He and Zhang, "Emotion recognition by assisted learning with
// convolutional neural networks", Neurocomputing 291, 2018: "a binary positive-or-negative emotion
// classification network and a deep network for specific emotion recognition", and an assisted
// learning strategy whose exact form is not known to us.
//
// Our reading: a binary network first; then a second one of the same architecture, started from it,
// whose last layer reads its own features and the binary network's, which stays as it is. The loss
// is the classes' cross-entropy plus half of that of positive against negative, answered by two
// more logits. Positive are amusement, awe, contentment and excitement, or what --positive says.
#include <algorithm>
#include <set>

#include "limbic/baselines/cnn.h"
#include "limbic/baselines/rows.h"
#include "limbic/baselines/two_towers.h"
#include "limbic/core/random.h"

namespace limbic::baselines {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// 1 for each class that is a positive emotion, else 0.
std::vector<int64_t> groups_of(const Setting& s) {
  static const std::vector<std::string> known = {"amusement", "awe", "contentment", "excitement"};
  const std::vector<std::string>& positive = s.positive.empty() ? known : s.positive;
  std::vector<int64_t> out;
  for (const std::string& name : s.train.classes)
    out.push_back(std::find(positive.begin(), positive.end(), name) != positive.end());
  return out;
}

std::string needs_polarity(const Setting& s) {
  const auto& classes = s.train.classes;
  for (const std::string& name : s.positive)
    if (std::find(classes.begin(), classes.end(), name) == classes.end())
      return "needs --positive to name classes of the data set (" + joined(classes) + "); '" +
             name + "' is none";
  const std::vector<int64_t> groups = groups_of(s);
  const auto positive = std::count(groups.begin(), groups.end(), 1);
  if (positive > 0 && positive < std::ssize(groups)) return "";
  return str_cat("needs --positive: which of the classes ", joined(classes),
                 " are positive emotions; as it is, ", positive == 0 ? "none" : "all", " are");
}

io::Dataset by_group(const io::Dataset& data, const std::vector<int64_t>& groups) {
  io::Dataset out = data;
  out.classes = {"negative", "positive"};
  for (io::Sample& s : out.samples) s.label = groups.at(static_cast<size_t>(s.label));
  return out;
}

class LearntBinaryAssisted : public Learnt {
 public:
  LearntBinaryAssisted(const Setting& s, const ProgressFunction& progress) {
    const std::vector<int64_t> groups = groups_of(s);
    network::Network binary = open_cnn("binary-assisted/binary",
                                       {.model = s.assisted_model,
                                        .weights = s.assisted_weights,
                                        .classes = 2,
                                        .image_size = s.image_size},
                                       s, notes);
    train_cnn(binary, "binary-assisted/binary",
              {by_group(s.train, groups), by_group(s.validation, groups)}, s, progress, notes);
    network_.model = two_towers(binary.model, std::ssize(s.train.classes), 2);
    network_.preset = binary.preset;
    network_.parameters =
        network_.model.graph.initialise(combine(s.seed, hash_name("binary-assisted")));
    fill_towers(binary.parameters, network_.parameters);
    train_cnn(network_, "binary-assisted/classes", {s.train, s.validation}, s, progress, notes,
              [&](train::TrainOptions& o) {
                o.frozen.push_back("assistant");
                o.auxiliary = {.group = groups, .weight = 0.5};
              });
    std::vector<std::string> positive;
    for (size_t c = 0; c < groups.size(); ++c)
      if (groups[c] == 1) positive.push_back(s.train.classes[c]);
    notes.push_back("positive: " + joined(positive));
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    return answers_of(network_, data, progress);
  }

 private:
  network::Network network_;
};

}  // namespace

Row binary_assisted_row() {
  return {.name = "binary-assisted",
          .method = "Binary Assisted",
          .type = "deep",
          .printed = 0.6131,
          .source =
              "He and Zhang, Neurocomputing 291, 2018: a binary positive-or-negative network "
              "assists a network for emotions; the strategy's exact form is not known.",
          .reading =
              "The network for classes starts from the binary one and reads its own and the "
              "binary network's features; loss CE of the classes + 0.5 CE of the polarity.",
          .needs = needs_polarity,
          .learn = learn_row<LearntBinaryAssisted, binary_assisted_row>};
}

}  // namespace limbic::baselines
