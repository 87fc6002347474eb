// LiteEmo. Source: Chew, Wong, See, Khor, Abivishaq, "LiteEmo: lightweight deep neural networks for
// image emotion recognition", MMSP 2019: a multi-stream network that joins several MobileNets: core
// emotion, object recognition, image category recognition. The categories are not known to us.
//
// Our reading: the averaged features of three networks side by side, standardised, into one dense
// layer. The emotion stream is fine-tuned to the training pictures; the others stay as their
// weights are. Where the category stream is missing, the last two stages of the object stream stand
// in for it; a stream that is named without weights learns the emotions from the training pictures
// too.
#include <algorithm>

#include "limbic/baselines/chosen_softmax.h"
#include "limbic/baselines/cnn.h"
#include "limbic/baselines/rows.h"
#include "limbic/emotion/fusion.h"

namespace limbic::baselines {
namespace {

bool is_missing(const emotion::BranchSpec& spec) {
  return spec.weights.empty() && (spec.model.empty() || spec.model == "none");
}

struct Stream {
  network::Network network;
  std::vector<std::string> layers;
};

class LearntLiteEmo : public Learnt {
 public:
  LearntLiteEmo(const Setting& s, const ProgressFunction& progress) {
    add("emotion", s.lite_emotion, s, progress);
    add("object", s.lite_object, s, progress);
    add("category", s.lite_category, s, progress);
    const Features train = features(s.train, progress);
    require_two_classes(train.labels, s.train);
    dense_.emplace(train, features(s.validation, progress), std::ssize(s.train.classes), s.seed);
    notes.push_back(dense_->description());
  }

  std::vector<int64_t> predict(const io::Dataset& data, const ProgressFunction& progress) override {
    const Features f = features(data, progress);
    return spread(dense_->predict(f.x), f.indices, data.size());
  }

 private:
  void add(const std::string& role, const emotion::BranchSpec& spec, const Setting& s,
           const ProgressFunction& progress) {
    if (is_missing(spec)) {
      stand_in(role);
      return;
    }
    const std::string name = "liteemo/" + role;
    const bool learns = role == "emotion" || spec.weights.empty();
    Stream stream{open_cnn(name,
                           {.model = spec.model == "none" ? "" : spec.model,
                            .weights = spec.weights,
                            .classes = learns ? std::ssize(s.train.classes) : 0,
                            .preset = spec.preset,
                            .image_size = spec.image_size > 0 ? spec.image_size : s.image_size},
                           s, notes),
                  {"features"}};
    if (role != "emotion" && learns)
      notes.push_back("the " + role + " stream has no weights: it learns the emotions instead");
    if (learns) train_cnn(stream.network, name, {s.train, s.validation}, s, progress, notes);
    streams_.push_back(std::move(stream));
    knows_objects_ = knows_objects_ || (role == "object" && !learns);
  }

  // The last two stages of a network that knows objects say something of the category.
  void stand_in(const std::string& role) {
    if (role != "category" || !knows_objects_ || streams_.back().network.model.stages.empty()) {
      notes.push_back("the " + role + " stream is missing");
      return;
    }
    Stream& object = streams_.back();
    const auto& stages = object.network.model.stages;
    const size_t first = stages.size() < 2 ? 0 : stages.size() - 2;
    std::string names;
    for (size_t i = first; i < stages.size(); ++i) {
      object.layers.push_back(stages[i]);
      names += (names.empty() ? "" : " and ") + stages[i];
    }
    notes.push_back("the category stream is missing; " + names + " of the object stream's " +
                    object.network.model.name + " stand in for it");
  }

  Features features(const io::Dataset& data, const ProgressFunction& progress) const {
    std::vector<Tensor> blocks;
    LayerOutputs out;
    std::vector<int64_t> indices;
    for (const Stream& stream : streams_) {
      out = run_layers(stream.network, stream.layers, data, progress);
      if (out.labels.empty()) return {};
      require(blocks.empty() || out.indices == indices,
              "LiteEmo: a picture could be read by one stream and not by another");
      indices = out.indices;
      blocks.insert(blocks.end(), out.rows.begin(), out.rows.end());
    }
    return {emotion::join_blocks(blocks), out.labels, out.indices};
  }

  std::vector<Stream> streams_;
  bool knows_objects_ = false;
  std::optional<ChosenSoftmax> dense_;
};

}  // namespace

Row liteemo_row() {
  return {.name = "liteemo",
          .method = "LiteEmote",
          .type = "deep",
          .printed = 0.6167,
          .source =
              "Chew et al., MMSP 2019: several MobileNets side by side, for emotions, objects "
              "and image categories. The categories are not known.",
          .reading =
              "Averaged features of three networks into one dense layer; the emotion stream "
              "is fine-tuned, the others stay as they are; what stands in for a missing "
              "stream is said in the notes.",
          .needs = [](const Setting& s) -> std::string {
            return is_missing(s.lite_emotion) ? "needs --lite-emotion: a network for the emotion "
                                                "stream, such as mobilenet_v2"
                                              : "";
          },
          .learn = learn_row<LearntLiteEmo, liteemo_row>};
}

}  // namespace limbic::baselines
