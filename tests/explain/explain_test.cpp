#include "limbic/explain/explain.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "limbic/explain/pictures.h"
#include "limbic/io/preset.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/twins/evaluate.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::explain;

namespace {

const std::string data = LIMBIC_SOURCE_DIR "/../shared/data";

Graph small_net() {
  Graph g;
  Value x = g.input(3);
  x = relu(conv2d(g.root() / "conv1", x, {.out_channels = 6, .kernel_size = 3, .padding = 1}));
  x = relu(batch_norm(g.root() / "bn", conv2d(g.root() / "conv2", x,
                                              {.out_channels = 5, .kernel_size = 3, .stride = 2})));
  g.label("maps", x);
  g.label("features", global_avg_pool(x));
  g.label("logits", linear(g.root() / "fc", {x.graph, g.find("features")}, {.out_features = 4}));
  return g;
}

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

// Of the nodes from `behind` on, computed by the twins in f64, the logits; the maps are `maps`.
std::vector<double> logits_behind(const Graph& g, twins::Arrays& parameters,
                                  const twins::Array& maps) {
  // features = the mean of the maps, logits = W features + b.
  const twins::Array &w = parameters.at("fc.weight"), &b = parameters.at("fc.bias");
  CHECK(g.find("logits") == g.size() - 1);
  std::vector<double> out = b.values;
  const int64_t channels = maps.shape[1], places = maps.shape[2] * maps.shape[3];
  for (size_t c = 0; c < out.size(); ++c)
    for (int64_t k = 0; k < channels; ++k)
      for (int64_t p = 0; p < places; ++p)
        out[c] +=
            w.at(static_cast<int64_t>(c), k) * maps[k * places + p] / static_cast<double>(places);
  return out;
}

double worst_difference(const std::vector<float>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double{a[i]} - b[i]));
  return worst;
}

std::vector<double> stretched_values(std::vector<double> v) {
  const auto [low, high] = std::minmax_element(v.begin(), v.end());
  const double least = *low, range = *high - least;
  for (double& x : v) x = (x - least) / range;
  return v;
}

}  // namespace

TEST_CASE("explain: Grad-CAM and Grad-CAM++ equal gradients by finite differences of the twin") {
  const Graph g = small_net();
  const Parameters parameters = g.initialise(3);
  const Tensor image = noise({1, 3, 9, 8}, 4);
  Explainer explainer(g, parameters, {.input = image.shape()});
  CHECK(explainer.layer() == "maps");
  twins::Arrays twin = twins::from_parameters(parameters);
  twins::Array maps =
      twins::evaluate(g, twin, twins::from_tensor(image), {})[static_cast<size_t>(g.find("maps"))];
  const int64_t channels = maps.shape[1], places = maps.shape[2] * maps.shape[3];
  for (int64_t c = 0; c < 4; ++c) {
    CAPTURE(c);
    std::vector<double> slopes, cam(static_cast<size_t>(places)), plus(cam.size());
    for (double& v : maps.values) {
      const double before = v;
      v = before + 1e-5;
      const double up = logits_behind(g, twin, maps)[static_cast<size_t>(c)];
      v = before - 1e-5;
      slopes.push_back((up - logits_behind(g, twin, maps)[static_cast<size_t>(c)]) / 2e-5);
      v = before;
    }
    for (int64_t k = 0; k < channels; ++k) {
      double weight = 0, weight_plus = 0, sum = 0;
      for (int64_t p = 0; p < places; ++p) sum += maps[k * places + p];
      for (int64_t p = 0; p < places; ++p) {
        const double s = slopes[static_cast<size_t>(k * places + p)];
        weight += s / static_cast<double>(places);
        const double alpha = s * s / (2 * s * s + sum * s * s * s);
        weight_plus += alpha * std::max(s, 0.0);
      }
      for (int64_t p = 0; p < places; ++p) {
        cam[static_cast<size_t>(p)] += weight * maps[k * places + p];
        plus[static_cast<size_t>(p)] += weight_plus * maps[k * places + p];
      }
    }
    for (double& v : cam) v = std::max(v, 0.0);
    for (double& v : plus) v = std::max(v, 0.0);
    const Map map = explainer.map(Method::grad_cam, image, c);
    CHECK(map.height == 4);
    CHECK(map.width == 3);
    if (*std::max_element(cam.begin(), cam.end()) > 0)
      CHECK(worst_difference(map.values, stretched_values(cam)) < 1e-4);
    else
      CHECK(map.values == std::vector<float>(map.values.size(), 0.0f));
    CHECK(worst_difference(explainer.map(Method::grad_cam_plus_plus, image, c).values,
                           stretched_values(plus)) < 1e-4);
  }
}

TEST_CASE("explain: occlusion equals a plain loop over windows") {
  const Graph g = small_net();
  const Parameters parameters = g.initialise(3);
  const Tensor image = noise({1, 3, 9, 8}, 4);
  Plan plan(g, parameters, PlanOptions::inference(image.shape()));
  const auto score = [&](const Tensor& of) {
    plan.run(of);
    return double{plan.output("logits").data()[2]};
  };
  struct Case {
    int64_t window, stride;
  };
  for (const Case& size : {Case{3, 2}, Case{4, 4}, Case{2, 3}, Case{8, 1}}) {
    const int64_t window = size.window, stride = size.stride;
    CAPTURE(window);
    CAPTURE(stride);
    Explainer explainer(g, parameters,
                        {.input = image.shape(), .window = window, .stride = stride, .batch = 5});
    const Map map = explainer.map(Method::occlusion, image, 2);
    const int64_t rows = (9 + stride - 1) / stride, columns = (8 + stride - 1) / stride;
    CHECK(map.height == rows);
    CHECK(map.width == columns);
    std::vector<double> sum(static_cast<size_t>(rows * columns)), n(sum.size());
    for (int64_t y0 = 0;; y0 = std::min(y0 + stride, 9 - window)) {
      for (int64_t x0 = 0;; x0 = std::min(x0 + stride, 8 - window)) {
        const Tensor hidden = image.clone();
        for (int64_t i = 0; i < hidden.size(); ++i) {
          const int64_t y = i / 8 % 9, x = i % 8;
          if (y >= y0 && y < y0 + window && x >= x0 && x < x0 + window) hidden.data()[i] = 0;
        }
        const double drop = score(image) - score(hidden);
        for (int64_t cell = 0; cell < rows * columns; ++cell) {
          const int64_t top = cell / columns * stride, left = cell % columns * stride;
          const bool covered =
              top < y0 + window && top + stride > y0 && left < x0 + window && left + stride > x0;
          if (!covered) continue;
          sum[static_cast<size_t>(cell)] += drop;
          ++n[static_cast<size_t>(cell)];
        }
        if (x0 == 8 - window) break;
      }
      if (y0 == 9 - window) break;
    }
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = n[i] > 0 ? std::max(0.0, sum[i] / n[i]) : 0;
    CHECK(worst_difference(map.values, stretched_values(sum)) < 1e-4);
  }
}

TEST_CASE("explain: gradient x input equals finite differences, Score-CAM a loop over channels") {
  const Graph g = small_net();
  const Parameters parameters = g.initialise(3);
  const Tensor image = noise({1, 3, 9, 8}, 4);
  Explainer explainer(g, parameters, {.input = image.shape(), .batch = 3});
  twins::Arrays twin = twins::from_parameters(parameters);
  twins::Array picture = twins::from_tensor(image);
  const auto logit = [&](const twins::Array& of) {
    return twins::evaluate(g, twin, of, {}).back()[1];
  };
  std::vector<double> expected(72);
  for (size_t i = 0; i < picture.values.size(); ++i) {
    const double before = picture.values[i];
    picture.values[i] = before + 1e-6;
    const double up = logit(picture);
    picture.values[i] = before - 1e-6;
    expected[i % 72] += (up - logit(picture)) / 2e-6 * before;
    picture.values[i] = before;
  }
  for (double& v : expected) v = std::abs(v);
  CHECK(worst_difference(explainer.map(Method::gradient, image, 1).values,
                         stretched_values(expected)) < 1e-3);

  const twins::Array maps =
      twins::evaluate(g, twin, picture, {})[static_cast<size_t>(g.find("maps"))];
  std::vector<double> weights, cam(12);
  double total = 0;
  for (int64_t k = 0; k < 5; ++k) {
    std::vector<float> own;
    for (int64_t p = 0; p < 12; ++p) own.push_back(static_cast<float>(maps[k * 12 + p]));
    const std::vector<float> mask = upsampled(stretched({4, 3, own}), 9, 8);
    twins::Array seen = picture;
    for (size_t i = 0; i < seen.values.size(); ++i) seen.values[i] *= double{mask[i % 72]};
    weights.push_back(std::exp(logit(seen)));
    total += weights.back();
  }
  for (int64_t k = 0; k < 5; ++k)
    for (int64_t p = 0; p < 12; ++p)
      cam[static_cast<size_t>(p)] += weights[static_cast<size_t>(k)] / total * maps[k * 12 + p];
  CHECK(worst_difference(explainer.map(Method::score_cam, image, 1).values, stretched_values(cam)) <
        1e-3);
}

namespace {

// The guided gradient of logit `c` with respect to the picture, by plain loops in f64 over a net of
// conv 3x3 (padding 1), clamp, conv 3x3 (padding 1), clamp, mean, linear.
std::vector<double> guided_by_loops(twins::Arrays& p, const twins::Array& image, double high,
                                    int64_t c) {
  const int64_t height = image.shape[2], width = image.shape[3], places = height * width;
  using Planes = std::vector<double>;
  // dst += or src += over all products of a convolution, `visit(dst, src, weight)`.
  const auto convolve = [&](const twins::Array& w, auto&& visit) {
    for (int64_t o = 0; o < w.shape[0]; ++o)
      for (int64_t i = 0; i < w.shape[1]; ++i)
        for (int64_t k = 0; k < 9; ++k)
          for (int64_t at = 0; at < places; ++at) {
            const int64_t y = at / width + k / 3 - 1, x = at % width + k % 3 - 1;
            if (y < 0 || y >= height || x < 0 || x >= width) continue;
            visit(static_cast<size_t>(o * places + at),
                  static_cast<size_t>(i * places + y * width + x), w[(o * w.shape[1] + i) * 9 + k]);
          }
  };
  const auto forward = [&](const Planes& src, const twins::Array& w, const twins::Array& bias) {
    Planes dst(static_cast<size_t>(w.shape[0] * places));
    for (size_t j = 0; j < dst.size(); ++j) dst[j] = bias[static_cast<int64_t>(j) / places];
    convolve(w, [&](size_t d, size_t s, double weight) { dst[d] += weight * src[s]; });
    return dst;
  };
  const auto backward = [&](const Planes& slopes, const twins::Array& w) {
    Planes src(static_cast<size_t>(w.shape[1] * places));
    convolve(w, [&](size_t d, size_t s, double weight) { src[s] += weight * slopes[d]; });
    return src;
  };
  const auto clamped = [&](Planes v) {
    for (double& x : v) x = std::min(std::max(x, 0.0), high);
    return v;
  };
  const auto guide = [&](Planes slopes, const Planes& before) {
    for (size_t j = 0; j < slopes.size(); ++j)
      if (before[j] <= 0 || before[j] >= high || slopes[j] <= 0) slopes[j] = 0;
    return slopes;
  };
  const twins::Array &w1 = p.at("conv1.weight"), &w2 = p.at("conv2.weight"),
                     &fc = p.at("fc.weight");
  const Planes first = forward(image.values, w1, p.at("conv1.bias"));
  const Planes second = forward(clamped(first), w2, p.at("conv2.bias"));
  Planes slopes;
  for (int64_t k = 0; k < fc.shape[1]; ++k)
    slopes.insert(slopes.end(), static_cast<size_t>(places),
                  fc.at(c, k) / static_cast<double>(places));
  return backward(guide(backward(guide(slopes, second), w2), first), w1);
}

}  // namespace

TEST_CASE("explain: guided gradients equal plain loops, of ReLU and of ReLU6") {
  for (const float high : {std::numeric_limits<float>::infinity(), 0.5f}) {
    CAPTURE(high);
    Graph g;
    Value x = g.input(3);
    for (const char* name : {"conv1", "conv2"})
      x = activate(conv2d(g.root() / name, x, {.out_channels = 6, .kernel_size = 3, .padding = 1}),
                   Activation::clamp(0, high));
    g.label("logits", linear(g.root() / "fc", global_avg_pool(x), {.out_features = 4}));
    const Parameters parameters = g.initialise(3);
    const Tensor image = noise({1, 3, 9, 8}, 4);
    twins::Arrays twin = twins::from_parameters(parameters);
    Explainer explainer(g, parameters, {.input = image.shape()});
    for (int64_t c = 0; c < 4; ++c) {
      CAPTURE(c);
      const std::vector<double> slopes = guided_by_loops(twin, twins::from_tensor(image), high, c);
      std::vector<double> expected(72);
      for (size_t i = 0; i < slopes.size(); ++i)
        expected[i % 72] += slopes[i] * double{image.data()[i]};
      for (double& v : expected) v = std::abs(v);
      REQUIRE(*std::max_element(expected.begin(), expected.end()) > 0);
      const Map map = explainer.map(Method::guided_gradient, image, c);
      CHECK(worst_difference(map.values, stretched_values(expected)) < 1e-4);
      CHECK(map.values != explainer.map(Method::gradient, image, c).values);
    }
  }
}

TEST_CASE("explain: Eigen-CAM finds the component that feature maps were made of") {
  Tensor features({1, 3, 2, 2});
  const double direction[] = {1, 2, 0, 3};
  for (int64_t k = 0; k < 3; ++k)
    for (int64_t p = 0; p < 4; ++p)
      features.data()[k * 4 + p] = static_cast<float>(static_cast<double>(k - 3) * direction[p]);
  CHECK(worst_difference(stretched(eigen_cam(features)).values, {1.0 / 3, 2.0 / 3, 0, 1}) < 1e-6);
}

TEST_CASE("explain: maps are enlarged as PyTorch's interpolate does") {
  CHECK(upsampled({1, 3, {1, 5, 2}}, 1, 6) == std::vector<float>{1, 2, 4, 4.25f, 2.75f, 2});
  CHECK_THROWS_AS(stretched({1, 2, {1, NAN}}), Error);
  CHECK(stretched({1, 2, {3, 3}}).values == std::vector<float>{0, 0});
}

TEST_CASE("explain: what cannot be explained is said in one line that names what can") {
  const Graph g = small_net();
  const Parameters parameters = g.initialise(3);
  const auto with_layer = [&](const std::string& layer) {
    Explainer(g, parameters, {.input = {1, 3, 9, 8}, .layer = layer});
  };
  CHECK_THROWS_WITH(with_layer("nowhere"), doctest::Contains("none of this name; layers of feature "
                                                             "maps are maps and"));
  CHECK_THROWS_WITH(with_layer("features"), doctest::Contains("a row of 5 values"));
  CHECK_THROWS_WITH(method_of("gradcam"), doctest::Contains("grad-cam, grad-cam++"));
  Explainer explainer(g, parameters, {.input = {1, 3, 9, 8}});
  CHECK_THROWS_WITH(explainer.map(Method::grad_cam, noise({1, 3, 9, 8}, 1), 4),
                    "class 4: expected 0 to 3");
  CHECK_THROWS_WITH(Explainer(g, parameters, {.input = {1, 3, 9, 8}, .window = 9}),
                    doctest::Contains("does not fit"));
  Graph flat;
  flat.label("logits",
             linear(flat.root() / "fc", global_avg_pool(flat.input(3)), {.out_features = 2}));
  const Parameters few = flat.initialise(1);
  Explainer none(flat, few, {.input = {1, 3, 9, 8}});
  CHECK_THROWS_WITH(none.map(Method::grad_cam, noise({1, 3, 9, 8}, 1), 0),
                    doctest::Contains("no convolution); gradient-x-input and occlusion need none"));
  CHECK_THROWS_WITH(none.map(Method::guided_gradient, noise({1, 3, 9, 8}, 1), 0),
                    doctest::Contains("the network has no ReLU"));
  CHECK(none.map(Method::occlusion, noise({1, 3, 9, 8}, 1), 0).values.size() > 1);
}

TEST_CASE("explain: Grad-CAM and guided gradients of published networks equal PyTorch's") {
  if (!std::filesystem::exists(data + "/weights/squeezenet1_1.pth")) {
    MESSAGE("not run: no published weights here");
    return;
  }
  const auto golden = nlohmann::json::parse(testing::source_text("tests/explain/goldens.json"));
  const auto compare = [&](const std::string& name, const std::string& file, const Tensor& image,
                           Method method = Method::grad_cam, const std::string& key = "") {
    const network::Network n = network::open_network({.model = name, .weights = data + file});
    Explainer explainer(n.model.graph, n.parameters, {.input = image.shape()});
    for (const auto& [c, rows] : golden.at(name + key).items()) {
      const std::string which = c;
      CAPTURE(which);
      std::vector<double> expected;
      for (const auto& row : rows)
        for (const double v : row) expected.push_back(v);
      const Map map = explainer.map(method, image, std::stoll(c));
      const double worst = worst_difference(map.values, expected);
      MESSAGE(name << key << " class " << which << ", " << explainer.layer() << ": " << worst);
      CHECK(worst < 1e-3);
    }
  };
  const auto wave = [](int64_t side) {
    Tensor out({1, 3, side, side});
    for (int64_t i = 0; i < out.size(); ++i)
      out.data()[i] = static_cast<float>(std::sin(static_cast<double>(i) * 0.01));
    return out;
  };
  compare("resnet20", "/weights/resnet20-12fca82f.th", wave(32));
  compare("resnet20", "/weights/resnet20-12fca82f.th", wave(32), Method::guided_gradient,
          " guided");
  compare("efficientnet_lite0", "/weights/efficientnet-lite0-57934424.pth", wave(224));
  const io::Preset preset = io::find_preset("torchvision");
  Tensor image(network::input_shape(1, preset));
  io::preprocess(
      io::decode_file(data + "/images/imagenet100/" + golden.at("photo").get<std::string>()),
      preset, image.data());
  compare("squeezenet1_1", "/weights/squeezenet1_1.pth", image);
}

TEST_CASE("explain: maps are better than random ones over ten photos") {
  const std::string photos = data + "/images/imagenet100";
  if (!std::filesystem::exists(photos)) {
    MESSAGE("not run: no photos here");
    return;
  }
  const network::Network n = network::open_network(
      {.model = "squeezenet1_1", .weights = data + "/weights/squeezenet1_1.pth"});
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(photos))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  files.resize(10);
  Tensor image(network::input_shape(1, n.preset));
  Explainer explainer(n.model.graph, n.parameters, {.input = image.shape(), .steps = 10});
  const Method tried[] = {Method::grad_cam, Method::grad_cam_plus_plus, Method::eigen_cam,
                          Method::occlusion};
  std::vector<Faithfulness> sums(std::size(tried));
  Faithfulness random;
  for (const std::string& file : files) {
    io::preprocess(io::decode_file(file), n.preset, image.data());
    const std::vector<double> p = explainer.probabilities(image);
    const int64_t c = std::max_element(p.begin(), p.end()) - p.begin();
    for (size_t i = 0; i < sums.size(); ++i) {
      const Faithfulness f = explainer.faithfulness(image, c, explainer.map(tried[i], image, c));
      sums[i].deletion += f.deletion / 10;
      sums[i].insertion += f.insertion / 10;
    }
    const Faithfulness r = explainer.random_faithfulness(image, c, 3, 1);
    random.deletion += r.deletion / 10;
    random.insertion += r.insertion / 10;
  }
  MESSAGE("random: deletion " << random.deletion << ", insertion " << random.insertion);
  for (size_t i = 0; i < sums.size(); ++i) {
    MESSAGE(std::string(info(tried[i]).name)
            << ": deletion " << sums[i].deletion << ", insertion " << sums[i].insertion);
    CHECK(sums[i].insertion > random.insertion);
    if (tried[i] != Method::eigen_cam) CHECK(sums[i].deletion < random.deletion);
  }
}
