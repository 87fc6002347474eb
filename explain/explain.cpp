#include "limbic/explain/explain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/explain/guided.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::explain {

const std::vector<MethodInfo>& methods() {
  static const std::vector<MethodInfo> table = {
      {Method::grad_cam, "grad-cam", "Grad-CAM (Selvaraju et al. 2017)", true,
       "Feature maps, each weighted by how much the class's score rises with it."},
      {Method::grad_cam_plus_plus, "grad-cam++", "Grad-CAM++ (Chattopadhyay et al. 2018)", true,
       "The same with weights that count each place by itself: several objects show."},
      {Method::score_cam, "score-cam", "Score-CAM (Wang et al. 2020)", true,
       "Feature maps, each weighted by the score of the picture seen through it alone."},
      {Method::eigen_cam, "eigen-cam", "Eigen-CAM (Muhammad and Yeasin 2020)", true,
       "The feature maps' first principal component: what they have in common, whatever the "
       "class."},
      {Method::gradient, "gradient-x-input", "Gradient x input (Shrikumar et al. 2016)", false,
       "Pixels times the gradient of the score: the plain gradient, not guided backpropagation."},
      {Method::guided_gradient, "guided-gradient",
       "Guided backpropagation (Springenberg et al. 2014)", false,
       "Pixels times a gradient of which each ReLU lets the positive part alone back: sharp, but "
       "little of it depends on the class."},
      {Method::occlusion, "occlusion", "Occlusion (Zeiler and Fergus 2014)", false,
       "How far the score falls where a grey window hides the picture."}};
  return table;
}

const MethodInfo& info(Method method) { return methods()[static_cast<size_t>(method)]; }

Method method_of(const std::string& name) {
  std::string names;
  for (const MethodInfo& m : methods()) {
    if (m.name == name) return m.method;
    names += str_cat(names.empty() ? "" : ", ", m.name);
  }
  fail("unknown method '", name, "'; there are ", names);
}

double Head::score(std::span<const float> row, int64_t c) const {
  if (kind == network::OutputKind::binary) return c == 1 ? double{row[0]} : -double{row[0]};
  return logits ? logits(row)[static_cast<size_t>(c)] : double{row[static_cast<size_t>(c)]};
}

std::vector<float> Head::score_gradient(std::span<const float> row, int64_t c) const {
  if (gradient) return gradient(row, c);
  std::vector<float> out(row.size());
  if (kind == network::OutputKind::binary)
    out[0] = c == 1 ? 1.0f : -1.0f;
  else
    out[static_cast<size_t>(c)] = 1;
  return out;
}

std::vector<double> Head::probabilities(std::span<const float> row) const {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  std::vector<double> out = logits ? logits(row) : std::vector<double>(row.begin(), row.end());
  if (kind == network::OutputKind::binary) return {sigmoid(-out[0]), sigmoid(out[0])};
  if (kind == network::OutputKind::multilabel) {
    for (double& x : out) x = sigmoid(x);
    return out;
  }
  const double largest = *std::max_element(out.begin(), out.end());
  for (double& x : out) x = std::exp(x - largest);
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& x : out) x /= sum;
  return out;
}

namespace {

// Nodes that `head` is computed from, itself among them.
std::vector<char> sources_of(const Graph& graph, int head) {
  std::vector<char> out(static_cast<size_t>(graph.size()));
  out[static_cast<size_t>(head)] = 1;
  for (int n = head; n > 0; --n)
    if (out[static_cast<size_t>(n)])
      for (const int s : graph.node(n).src) out[static_cast<size_t>(s)] = 1;
  return out;
}

bool is_map(const Shape& shape) { return shape.size() == 4; }

// The last feature maps of more than one place that `from` is computed from, along the first source
// of each layer: before the pool that averages them. 0 where that is the picture.
int last_maps(const Graph& graph, const std::vector<Shape>& shapes, int from) {
  int n = from;
  while (n > 0) {
    const Shape& s = shapes[static_cast<size_t>(n)];
    if (is_map(s) && s[2] * s[3] > 1 && !op_as<AdaptiveAvgPool2d>(graph, n) &&
        !op_as<Dropout>(graph, n))
      break;
    n = graph.node(n).src[0];
  }
  return n;
}

std::string shown_name(const Graph& graph, int n) {
  for (const auto& [label, node] : graph.labels())
    if (node == n) return label;
  return graph.node(n).name;
}

Tensor repeated(const Tensor& image, int64_t n) {
  Shape shape = image.shape();
  shape[0] = n;
  Tensor out = Tensor::uninitialised(shape);
  for (int64_t i = 0; i < n; ++i)
    std::copy_n(image.data(), image.size(), out.data() + i * image.size());
  return out;
}

// Each colour smoothed by a Gaussian of 11 pixels and deviation 5, as the paper's insertion starts;
// at the edges over what there is.
Tensor blurred(const Tensor& image) {
  const int64_t height = image.dim(2), width = image.dim(3), radius = 5;
  const auto pass = [&](const Tensor& from, bool along_rows) {
    Tensor to(from.shape());
    parallel_for(image.dim(1) * height, [&](int64_t row) {
      const int64_t plane = row / height * height * width, y = row % height;
      for (int64_t x = 0; x < width; ++x) {
        double sum = 0, weights = 0;
        for (int64_t d = -radius; d <= radius; ++d) {
          const int64_t yy = along_rows ? y : y + d, xx = along_rows ? x + d : x;
          if (yy < 0 || yy >= height || xx < 0 || xx >= width) continue;
          const double w = std::exp(-static_cast<double>(d * d) / 50);
          sum += w * double{from.data()[plane + yy * width + xx]};
          weights += w;
        }
        to.data()[plane + y * width + x] = static_cast<float>(sum / weights);
      }
    });
    return to;
  };
  return pass(pass(image, true), false);
}

// Area below a curve of equal steps from 0 to 1.
double area(const std::vector<double>& curve) {
  double sum = 0;
  for (size_t i = 0; i + 1 < curve.size(); ++i) sum += (curve[i] + curve[i + 1]) / 2;
  return sum / static_cast<double>(curve.size() - 1);
}

// Where the window begins along a side: every `stride` pixels, and last at the end.
std::vector<int64_t> window_places(int64_t size, int64_t window, int64_t stride) {
  std::vector<int64_t> out;
  for (int64_t at = 0; at + window < size; at += stride) out.push_back(at);
  out.push_back(std::max<int64_t>(0, size - window));
  return out;
}

}  // namespace

struct Explainer::Gradients {
  Tensor features, layer, input;  ///< The last two are the score's gradients.
};

Explainer::Explainer(const Graph& graph, const Parameters& parameters, ExplainOptions options)
    : graph_(graph), parameters_(parameters), options_(std::move(options)) {
  const ExplainOptions& o = options_;
  require(o.input.size() == 4 && o.input[0] == 1,
          "explain: expected a picture's shape (1,C,H,W), got ", to_string(o.input));
  require(o.window >= 0 && o.stride >= 0 && o.steps >= 1 && o.batch >= 1,
          "explain: window and stride must not be negative, steps and batch positive");
  if (o.window == 0) options_.window = std::max<int64_t>(1, std::min(o.input[2], o.input[3]) / 7);
  if (o.stride == 0) options_.stride = std::max<int64_t>(1, options_.window / 2);
  require(o.window <= std::min(o.input[2], o.input[3]), "explain: a window of ", o.window,
          " pixels does not fit into a picture of ", o.input[2], "x", o.input[3]);
  find_layer();
  PlanOptions p = PlanOptions::inference(options_.input);
  p.input[0] = options_.batch;
  p.keep = {options_.head.at};
  if (!layer_.empty()) p.keep.push_back(layer_);
  plan_ = std::make_unique<Plan>(graph_, parameters_, std::move(p));
}

Explainer::~Explainer() = default;

void Explainer::refuse_layer(const std::string& why) const {
  const std::vector<Shape> shapes = graph_.infer(options_.input);
  const auto sources = sources_of(graph_, graph_.find(options_.head.at));
  std::string names;
  for (const auto& [label, n] : graph_.labels())
    if (n > 0 && sources[static_cast<size_t>(n)] && is_map(shapes[static_cast<size_t>(n)]))
      names += (names.empty() ? "" : ", ") + label;
  fail("layer '", options_.layer, "': ", why, "; layers of feature maps are ",
       names.empty() ? "" : names + " and ",
       "all those to which `limbic summary` gives a height and a width");
}

void Explainer::find_layer() {
  const std::vector<Shape> shapes = graph_.infer(options_.input);
  const int head = graph_.find(options_.head.at);
  require(shapes[static_cast<size_t>(head)].size() == 2, "explain: '", options_.head.at, "' gives ",
          to_string(shapes[static_cast<size_t>(head)]), ", expected a row (N,D) of scores");
  const auto sources = sources_of(graph_, head);
  int n = 0;
  if (options_.layer.empty()) {
    // Often dropout and the average for "features" read the same maps.
    const auto features = graph_.labels().find("features");
    if (features != graph_.labels().end()) n = last_maps(graph_, shapes, features->second);
    if (n == 0 || !sources[static_cast<size_t>(n)]) n = last_maps(graph_, shapes, head);
    if (n == 0) return;
    layer_ = shown_name(graph_, n);
  } else {
    layer_ = options_.layer;
    const auto label = graph_.labels().find(layer_);
    const auto& nodes = graph_.nodes();
    const auto named = std::find_if(nodes.begin() + 1, nodes.end(),
                                    [&](const Node& node) { return node.name == layer_; });
    if (label == graph_.labels().end() && named == nodes.end())
      refuse_layer("the network has none of this name");
    n = label != graph_.labels().end() ? label->second : static_cast<int>(named - nodes.begin());
    if (!is_map(shapes[static_cast<size_t>(n)]))
      refuse_layer(str_cat("it gives a row of ", shapes[static_cast<size_t>(n)][1],
                           " values, and a map needs (N,C,H,W)"));
    if (!sources[static_cast<size_t>(n)])
      refuse_layer("'" + options_.head.at + "' is not computed from it");
  }
  layer_shape_ = shapes[static_cast<size_t>(n)];
}

Tensor Explainer::rows(const Tensor& images) {
  const int64_t n = images.dim(0);
  Tensor out;
  for (int64_t begin = 0; begin < n; begin += options_.batch) {
    const int64_t end = std::min(n, begin + options_.batch);
    plan_->run(images.rows(begin, end));
    const Tensor part = plan_->output(options_.head.at);
    if (out.empty()) out = Tensor::uninitialised({n, part.dim(1)});
    std::copy_n(part.data(), part.size(), out.data() + begin * part.dim(1));
  }
  return out;
}

std::vector<double> Explainer::probabilities(const Tensor& image) {
  return options_.head.probabilities(rows(image).values());
}

void Explainer::require_class(int64_t c, std::span<const float> row) const {
  const int64_t classes = std::ssize(options_.head.probabilities(row));
  require(c >= 0 && c < classes, "class ", c, ": expected 0 to ", classes - 1);
}

std::vector<double> Explainer::scores(const Tensor& images, int64_t c) {
  const Tensor all = rows(images);
  std::vector<double> out;
  for (int64_t i = 0; i < all.dim(0); ++i)
    out.push_back(options_.head.score(all.rows(i, i + 1).values(), c));
  return out;
}

std::unique_ptr<Plan> Explainer::make_gradient_plan(const Graph& graph) const {
  PlanOptions p = PlanOptions::inference(options_.input);
  p.gradients = p.input_gradient = true;
  p.frozen = {""};  // of the weights nothing is wanted
  p.loss_at = options_.head.at;
  p.keep = {options_.head.at};
  if (!layer_.empty()) {
    p.keep.push_back(layer_);
    p.keep_gradients = {layer_};
  }
  return std::make_unique<Plan>(graph, parameters_, std::move(p));
}

Explainer::Gradients Explainer::gradients(const Tensor& image, int64_t c, bool guide) {
  std::unique_ptr<Plan>& made = guide ? guided_plan_ : gradient_plan_;
  if (!made) made = make_gradient_plan(guide ? guided(graph_) : graph_);
  Plan& plan = *made;
  plan.run(image);
  Gradients out;
  if (!layer_.empty()) out.features = plan.output(layer_);  // backward writes over it
  const Tensor row = plan.output(options_.head.at);
  plan.backward(options_.head.score_gradient(row.values(), c));
  if (!layer_.empty()) out.layer = plan.gradient(layer_);
  out.input = plan.gradient("input");
  return out;
}

Tensor Explainer::features(const Tensor& image) {
  require(!layer_.empty(), "the network has no feature maps");
  plan_->run(image);
  return plan_->output(layer_);
}

Map Explainer::score_cam_map(const Tensor& image, int64_t c) {
  const Tensor maps = features(image);
  const int64_t channels = maps.dim(1), places = maps.dim(2) * maps.dim(3);
  const int64_t pixels = image.dim(2) * image.dim(3);
  // Where a map is the same everywhere nothing is seen through it: the score of the grey picture.
  std::vector<double> all;
  for (int64_t begin = 0; begin < channels; begin += options_.batch) {
    const int64_t n = std::min(options_.batch, channels - begin);
    const Tensor images = repeated(image, n);
    parallel_for(n, [&](int64_t i) {
      const float* own = maps.data() + (begin + i) * places;
      const std::vector<float> mask = upsampled(
          stretched({maps.dim(2), maps.dim(3), {own, own + places}}), image.dim(2), image.dim(3));
      float* to = images.data() + i * image.size();
      for (int64_t p = 0; p < image.size(); ++p) to[p] *= mask[static_cast<size_t>(p % pixels)];
    });
    for (const double s : scores(images, c)) all.push_back(s);
    if (options_.progress)
      options_.progress({.task = "Score-CAM", .done = begin + n, .total = channels});
  }
  return score_cam(maps, all);
}

Map Explainer::occlusion(const Tensor& image, int64_t c) {
  const int64_t height = image.dim(2), width = image.dim(3), window = options_.window;
  const int64_t stride = options_.stride, rows = (height + stride - 1) / stride;
  const int64_t columns = (width + stride - 1) / stride;
  struct Place {
    int64_t y, x;
  };
  std::vector<Place> places;
  for (const int64_t y : window_places(height, window, stride))
    for (const int64_t x : window_places(width, window, stride)) places.push_back({y, x});
  const double whole = scores(image, c)[0];
  Map map{rows, columns, std::vector<float>(static_cast<size_t>(rows * columns))};
  std::vector<double> sum(map.values.size()), covering(map.values.size());
  for (int64_t begin = 0; begin < std::ssize(places); begin += options_.batch) {
    const int64_t n = std::min(options_.batch, std::ssize(places) - begin);
    const Tensor images = repeated(image, n);
    for (int64_t i = 0; i < n; ++i) {
      const auto [y0, x0] = places[static_cast<size_t>(begin + i)];
      for (int64_t plane = i * image.dim(1); plane < (i + 1) * image.dim(1); ++plane)
        for (int64_t y = y0; y < y0 + window; ++y)
          std::fill_n(images.data() + (plane * height + y) * width + x0, window, 0.0f);
    }
    const std::vector<double> hidden = scores(images, c);
    for (int64_t i = 0; i < n; ++i) {
      const auto [y0, x0] = places[static_cast<size_t>(begin + i)];
      for (int64_t y = y0 / stride; y <= (y0 + window - 1) / stride; ++y)
        for (int64_t x = x0 / stride; x <= (x0 + window - 1) / stride; ++x) {
          const auto cell = static_cast<size_t>(y * columns + x);
          sum[cell] += whole - hidden[static_cast<size_t>(i)];
          ++covering[cell];
        }
    }
    if (options_.progress)
      options_.progress({.task = "occlusion", .done = begin + n, .total = std::ssize(places)});
  }
  for (size_t i = 0; i < sum.size(); ++i)  // where hiding helps, nothing spoke for the class
    map.values[i] = static_cast<float>(covering[i] > 0 ? std::max(0.0, sum[i] / covering[i]) : 0.0);
  return map;
}

Map Explainer::map(Method method, const Tensor& image, int64_t c) {
  require(image.shape() == options_.input, "explain: expected an image ", to_string(options_.input),
          ", got ", to_string(image.shape()));
  require(!info(method).of_layer || !layer_.empty(), info(method).name,
          ": the network has no feature maps between the picture and '", options_.head.at,
          "' (no convolution); gradient-x-input and occlusion need none");
  require_class(c, rows(image).values());
  switch (method) {
    case Method::grad_cam:
    case Method::grad_cam_plus_plus: {
      const Gradients g = gradients(image, c);
      return stretched(method == Method::grad_cam ? grad_cam(g.features, g.layer)
                                                  : grad_cam_plus_plus(g.features, g.layer));
    }
    case Method::score_cam:
      return stretched(score_cam_map(image, c));
    case Method::eigen_cam:
      return stretched(eigen_cam(features(image)));
    case Method::occlusion:
      return stretched(occlusion(image, c));
    case Method::gradient:
    case Method::guided_gradient:
      return stretched(gradient_map(image, c, method == Method::guided_gradient));
  }
  fail("unknown method");
}

Map Explainer::gradient_map(const Tensor& image, int64_t c, bool guide) {
  const Tensor gradient = gradients(image, c, guide).input;
  const int64_t pixels = image.dim(2) * image.dim(3);
  Map map{image.dim(2), image.dim(3)};
  for (int64_t p = 0; p < pixels; ++p) {
    float sum = 0;
    for (int64_t colour = 0; colour < image.dim(1); ++colour)
      sum += gradient.data()[colour * pixels + p] * image.data()[colour * pixels + p];
    map.values.push_back(std::abs(sum));
  }
  return map;
}

Faithfulness Explainer::faithfulness(const Tensor& image, int64_t c, const Map& map) {
  const int64_t pixels = image.dim(2) * image.dim(3), steps = options_.steps;
  const std::vector<float> rank = upsampled(map, image.dim(2), image.dim(3));
  std::vector<int64_t> order(static_cast<size_t>(pixels));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return rank[static_cast<size_t>(a)] > rank[static_cast<size_t>(b)];
  });
  // The first share of the pixels from `there`, the rest from `before`.
  const auto curve = [&](const Tensor& before, const Tensor& there) {
    const Tensor images = repeated(before, steps + 1);
    for (int64_t step = 1; step <= steps; ++step)
      for (int64_t k = 0; k < pixels * step / steps; ++k)
        for (int64_t colour = 0; colour < image.dim(1); ++colour) {
          const int64_t at = colour * pixels + order[static_cast<size_t>(k)];
          images.data()[step * image.size() + at] = there.data()[at];
        }
    const Tensor all = rows(images);
    std::vector<double> out;
    for (int64_t i = 0; i <= steps; ++i)
      out.push_back(
          options_.head.probabilities(all.rows(i, i + 1).values())[static_cast<size_t>(c)]);
    return out;
  };
  require_class(c, rows(image).values());
  Faithfulness out;
  out.deletion_curve = curve(image, Tensor(image.shape()));
  out.insertion_curve = curve(blurred(image), image);
  out.deletion = area(out.deletion_curve);
  out.insertion = area(out.insertion_curve);
  return out;
}

Faithfulness Explainer::random_faithfulness(const Tensor& image, int64_t c, int maps,
                                            uint64_t seed) {
  const auto add = [&](std::vector<double>& sum, const std::vector<double>& values) {
    sum.resize(values.size());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i] / maps;
  };
  Faithfulness mean;
  for (int i = 0; i < maps; ++i) {
    Random random(seed, static_cast<uint64_t>(i));
    Map map{14, 14};
    if (!layer_.empty()) map = {layer_shape_[2], layer_shape_[3]};
    for (int64_t p = 0; p < map.height * map.width; ++p)
      map.values.push_back(static_cast<float>(random.uniform()));
    const Faithfulness one = faithfulness(image, c, map);
    add(mean.deletion_curve, one.deletion_curve);
    add(mean.insertion_curve, one.insertion_curve);
    mean.deletion += one.deletion / maps;
    mean.insertion += one.insertion / maps;
  }
  return mean;
}

}  // namespace limbic::explain
