#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "limbic/core/progress.h"
#include "limbic/explain/maps.h"
#include "limbic/network/network.h"
#include "limbic/nn/plan.h"

namespace limbic::explain {

enum class Method {
  grad_cam,
  grad_cam_plus_plus,
  score_cam,
  eigen_cam,
  gradient,
  guided_gradient,
  occlusion
};

/// A row of the table of methods.
struct MethodInfo {
  Method method;
  const char* name;   ///< On the command line: "grad-cam".
  const char* title;  ///< "Grad-CAM (Selvaraju et al. 2017)".
  bool of_layer;      ///< Its map is of a layer's feature maps; else of the picture itself.
  const char* says;   ///< What it shows, a sentence.
};
const std::vector<MethodInfo>& methods();
const MethodInfo& info(Method method);
/// Throws Error, listing the names.
Method method_of(const std::string& name);

/// From what a layer gives, (N,D) a row a picture, to the classes: by default it gives their
/// logits.
struct Head {
  std::string at = "logits";  ///< Label or node name.
  network::OutputKind kind = network::OutputKind::classes;
  /// Logits of the classes of a row; empty: the row itself.
  std::function<std::vector<double>(std::span<const float> row)> logits = {};
  /// The derivative of a class's logit with respect to the row; given where `logits` is.
  std::function<std::vector<float>(std::span<const float> row, int64_t c)> gradient = {};

  /// What methods explain: the class's logit; of one output its value for class 1 (yes), and with
  /// the sign turned for class 0.
  double score(std::span<const float> row, int64_t c) const;
  std::vector<float> score_gradient(std::span<const float> row, int64_t c) const;
  /// As session::Answer's.
  std::vector<double> probabilities(std::span<const float> row) const;
};

struct ExplainOptions {
  Shape input;        ///< (1,C,H,W) of a picture.
  std::string layer;  ///< Label or node name; empty: the last feature maps that features are of.
  Head head;
  int64_t window = 0;  ///< Side in pixels of what occlusion hides; 0: a seventh of the picture's.
  int64_t stride = 0;  ///< Pixels that it moves; 0: half the window.
  int64_t steps = 20;  ///< Of deletion and insertion.
  int64_t batch = 16;  ///< Pictures computed at once.
  ProgressFunction progress = {};
};

/// The class's probability as a picture loses its pixels, or gets them, those first that a map
/// names first (Petsiuk et al. 2018, arXiv:1806.07421): values at 0, 1/steps, ..., 1 of the pixels,
/// and the area below, 0 to 1. A good map has a small deletion and a large insertion.
struct Faithfulness {
  std::vector<double> deletion_curve, insertion_curve;
  double deletion = 0, insertion = 0;
};

/// Explains what a network says of pictures. Images are (1,C,H,W) f32 as the network wants them; 0,
/// the mean of the normalised pixels, is "grey". Batch norm uses its running statistics and there
/// is no dropout. Throws Error where the graph has no such layer or head, naming what there is.
class Explainer {
 public:
  Explainer(const Graph& graph, const Parameters& parameters, ExplainOptions options);
  ~Explainer();
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;

  /// What maps of layers are of; empty where the network has no feature maps.
  const std::string& layer() const { return layer_; }
  const ExplainOptions& options() const { return options_; }

  /// One row for each image of (n,C,H,W): what the head's layer gives.
  Tensor rows(const Tensor& images);
  std::vector<double> probabilities(const Tensor& image);

  /// A map from 0 to 1. grad_cam, grad_cam_plus_plus, eigen_cam: H x W of the layer. score_cam: the
  /// same, a run of the network for each of its channels. gradient: of the picture, |sum over
  /// colours of the score's gradient times the pixel|; guided_gradient: the same of the gradient
  /// that explain/guided.h leaves. occlusion: cells of stride x stride pixels, each the mean, over
  /// the places of a grey window that cover it, of how far the score falls. Throws Error where a
  /// method needs feature maps, or ReLUs, and there are none, and for a class that there is not.
  Map map(Method method, const Tensor& image, int64_t c);
  Faithfulness faithfulness(const Tensor& image, int64_t c, const Map& map);
  /// The mean over `maps` maps of random values, drawn by `seed`, of the layer's size (14 x 14
  /// without one).
  Faithfulness random_faithfulness(const Tensor& image, int64_t c, int maps, uint64_t seed);

  /// (1,C,H,W) that the layer gives.
  Tensor features(const Tensor& image);

 private:
  struct Gradients;

  void find_layer();
  [[noreturn]] void refuse_layer(const std::string& why) const;
  void require_class(int64_t c, std::span<const float> row) const;
  std::unique_ptr<Plan> make_gradient_plan(const Graph& graph) const;
  Gradients gradients(const Tensor& image, int64_t c, bool guide = false);
  Map gradient_map(const Tensor& image, int64_t c, bool guide);
  std::vector<double> scores(const Tensor& images, int64_t c);
  Map occlusion(const Tensor& image, int64_t c);
  Map score_cam_map(const Tensor& image, int64_t c);

  Graph graph_;
  const Parameters& parameters_;
  ExplainOptions options_;
  std::string layer_;
  Shape layer_shape_;  ///< For one picture.
  std::unique_ptr<Plan> plan_, gradient_plan_, guided_plan_;
};

}  // namespace limbic::explain
