// The walk: what it records is what the plain twins compute, what it quotes stands in the sources,
// its page holds what it says.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "limbic/models/models.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/local_response_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/twins/check_gradient.h"
#include "limbic/walk/choice.h"
#include "limbic/walk/digits.h"
#include "limbic/walk/embedded.h"
#include "limbic/walk/page.h"

namespace limbic::walk {
namespace {

float read(const Tensor& value, const Cell& cell) {
  if (value.rank() == 2) return value.data()[cell.c];
  return value.data()[(cell.c * value.dim(2) + cell.y) * value.dim(3) + cell.x];
}

// The largest difference, in units of the largest value: a small one may be the difference of
// large.
double apart(const Tensor& got, const reference::Array& expected) {
  double most = 0, largest = 0;
  REQUIRE(got.shape() == expected.shape);
  for (int64_t i = 0; i < got.size(); ++i) {
    most = std::max(most, std::abs(double{got.data()[i]} - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  REQUIRE(largest > 0);
  return most / largest;
}

Tensor noise(const Shape& shape) {
  Tensor out(shape);
  Random random(7);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

Recording record_model(const std::string& name, int64_t side, int64_t classes) {
  const models::Model model = models::build_model(name, classes);
  return record(model.graph, model.graph.initialise(3), noise({1, 3, side, side}));
}

const Recording& digits() {
  static const Recording r = [] {
    const Digits d = train_digits(0);
    Recording out = record(d.graph, d.parameters, d.image);
    CHECK(out.explained == d.label);
    return out;
  }();
  return r;
}

// What a convolution or linear layer makes of the taps of a cell, in f64, and the sum of its terms'
// magnitudes, of which rounding takes its part.
struct Sum {
  double value, magnitude;
};
Sum weighed(const Recording& r, int n, const Cell& cell) {
  const Node& node = r.graph.node(n);
  const Tensor& weight = r.parameters.at(node.parameters[0]).value;
  Sum sum{};
  const auto add = [&sum](double term) {
    sum.value += term;
    sum.magnitude += std::abs(term);
  };
  if (node.parameters.size() > 1)
    add(double{r.parameters.at(node.parameters[1]).value.data()[cell.c]});
  const std::vector<Tap> list = taps(r.graph, r.shapes, n, cell);
  const auto width = std::ssize(list);
  REQUIRE(width * weight.dim(0) == weight.size());
  const Tensor& src = r.layers[static_cast<size_t>(node.src[0])].value;
  for (int64_t i = 0; i < width; ++i) {
    const Tap& t = list[static_cast<size_t>(i)];
    if (t.src >= 0) add(double{weight.data()[cell.c * width + i]} * double{read(src, t.cell)});
  }
  return sum;
}

// Every cell of every convolution and linear layer that a selection holds.
void check_sums(const Recording& r) {
  const std::vector<Choice> choices = choose(r, {});
  int64_t compared = 0;
  double most = 0;
  for (int n = 1; n < r.graph.size(); ++n) {
    const std::string type = r.graph.node(n).op->type();
    if (type != "conv2d" && type != "linear") continue;
    for (const int64_t c : choices[static_cast<size_t>(n)].channels)
      for (const Cell& p : choices[static_cast<size_t>(n)].places) {
        const double own = double{read(r.layers[static_cast<size_t>(n)].value, {c, p.y, p.x})};
        const Sum sum = weighed(r, n, {c, p.y, p.x});
        most = std::max(most, std::abs(sum.value - own) / std::max(1e-6, sum.magnitude));
        ++compared;
      }
  }
  CHECK(compared > 0);
  CHECK(most < 1e-5);
  MESSAGE(compared << " sums of products, at most " << most
                   << " of their terms' magnitudes from what the layers gave");
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("walk: what is recorded is what the plain twins compute") {
  for (const Recording& r : {digits(), record_model("resnet20", 32, 10)}) {
    twins::Arrays parameters = twins::from_parameters(r.parameters);
    const auto values =
        twins::evaluate(r.graph, parameters, twins::from_tensor(r.layers[0].value), {});
    double worst = 0;
    for (size_t n = 0; n < values.size(); ++n)
      worst = std::max(worst, apart(r.layers[n].value, values[n]));
    CHECK(worst < 1e-5);
    MESSAGE("at most " << worst << " of a layer's largest value apart");
  }
}

TEST_CASE("walk: a window times its weights adds up to the layer's number") {
  check_sums(digits());
  check_sums(record_model("resnet20", 32, 10));
  check_sums(record_model("squeezenet1_1", 64, 12));
  check_sums(record_model("mobilenet_v2", 64, 5));
}

TEST_CASE("walk: the gradient says how the logit changes") {
  const Recording& r = digits();
  const reference::Array image = twins::from_tensor(r.layers[0].value);
  twins::Arrays parameters = twins::from_parameters(r.parameters);
  const auto logit = [&](int64_t pixel, double change) {
    reference::Array changed = image;
    changed[pixel] += change;
    return twins::evaluate(r.graph, parameters, changed,
                           {})[static_cast<size_t>(r.logits())][r.explained];
  };
  std::vector<double> gradient, slopes;
  const double h = 1e-6;
  for (int64_t pixel = 0; pixel < r.layers[0].value.size(); pixel += 7) {
    gradient.push_back(double{r.layers[0].gradient.data()[pixel]});
    slopes.push_back((logit(pixel, h) - logit(pixel, -h)) / (2 * h));
  }
  CHECK(std::any_of(slopes.begin(), slopes.end(), [](double s) { return s != 0; }));
  // Of 112 pixels the norm is at most 10.6 of the steepest: none is 1e-4 of that apart.
  const double error = twins::relative_error(gradient, slopes);
  CHECK(error < 5e-6);
  MESSAGE("the gradient's relative error: " << error);
  const Layer& fc3 = r.layers[static_cast<size_t>(r.logits())];
  CHECK(double{fc3.gradient.data()[r.explained]} == 1);
  // d logit / d w is what the last layer reads.
  const Tensor& features = r.layers[static_cast<size_t>(r.graph.find("features"))].value;
  for (int64_t i = 0; i < features.size(); ++i)
    CHECK(double{fc3.weight_gradient.data()[r.explained * features.size() + i]} ==
          doctest::Approx(double{features.data()[i]}));
}

TEST_CASE("walk: every layer's time, roofline and work are there") {
  const Recording& r = digits();
  CHECK(r.machine.flops > 1e8);
  CHECK(r.machine.bytes > 1e8);
  CHECK(r.seconds > 0);
  for (int n = 1; n < r.graph.size(); ++n) {
    const Layer& layer = r.layers[static_cast<size_t>(n)];
    CAPTURE(r.graph.node(n).name);
    CHECK(layer.forward > 0);
    CHECK(layer.roof > 0);
    CHECK(layer.bytes > 0);
    CHECK(!layer.implementation.empty());
  }
  const Layer& conv1 = r.layers[1];
  CHECK(conv1.multiply_adds == 6 * 28 * 28 * 25);
  CHECK(conv1.bytes == 4 * (28 * 28 + 6 * 28 * 28 + 6 * 26));
}

TEST_CASE("walk: what the page quotes stands in the sources, line by line") {
  CHECK(sources().size() > 40);
  for (const Source& s : sources()) {
    CAPTURE(s.file);
    CAPTURE(s.name);
    std::ifstream file(std::string(LIMBIC_SOURCE_DIR) + "/" + s.file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::istringstream text(s.text);
    size_t at = static_cast<size_t>(s.line) - 1;
    for (std::string line; std::getline(text, line); ++at) {
      REQUIRE(at < lines.size());
      CHECK(line == lines[at]);
    }
    CHECK(has(s.text, std::string(s.name).substr(std::string(s.name).rfind(':') + 1)));
  }
  for (const char* op : {"conv2d", "winograd", "linear", "max_pool2d", "batch_norm", "softmax"})
    for (const char* role : {"twin", "fast"})
      CHECK(std::any_of(sources().begin(), sources().end(), [&](const Source& s) {
        return std::string(s.op) == op && std::string(s.role) == role;
      }));
}

TEST_CASE("walk: a page holds all numbers, or says what it has left out") {
  const io::Picture picture(28, 28);
  const Page whole = render(digits(), {.network = "LeNet <1>", .about = "", .picture = picture});
  CHECK(whole.selection.whole);
  CHECK(whole.html.size() < 1'000'000);
  CHECK(has(whole.html, "A picture&#39;s walk through LeNet &lt;1&gt;"));
  CHECK(!has(whole.html, "{{walk}}"));
  for (const char* outside : {"http://", "https://", "<link", "src=\"http"})
    CHECK(!has(whole.html, outside));
  const Page resnet = render(record_model("resnet20", 32, 10),
                             {.network = "resnet20", .about = "", .picture = picture});
  CHECK(resnet.selection.whole);
  CHECK(resnet.html.size() <= most_page_bytes);
  const Recording large = record_model("squeezenet1_1", 224, 1000);
  const Subject subject{.network = "squeezenet1_1", .about = "", .picture = picture};
  const Page selected = render(large, subject);
  CHECK(!selected.selection.whole);
  CHECK(selected.selection.channels == 8);
  CHECK(selected.selection.places == 64);
  CHECK(selected.html.size() <= most_page_bytes);
  CHECK(has(selected.html, "8 channels (those that vary most) at 64 places"));
  CHECK(render(large, subject, 2'000'000).html.size() <= 2'000'000);
  CHECK(has(error_of([&] { render(large, subject, 300'000); }), "more than 300000"));
}

TEST_CASE("walk: says what it cannot show") {
  Graph lrn;
  Value x = relu(conv2d(lrn.root() / "conv", lrn.input(3), {.out_channels = 4}));
  lrn.label("logits", linear(lrn.root() / "fc", global_avg_pool(local_response_norm(x, {})),
                             {.out_features = 3}));
  const Recording r = record(lrn, lrn.initialise(0), noise({1, 3, 8, 8}));
  REQUIRE(not_shown(r).size() == 1);
  CHECK(has(not_shown(r)[0], "(local_response_norm)"));
  CHECK(find_layer(r, "logits") == r.logits());
  CHECK(has(error_of([&] { find_layer(r, "nowhere"); }), "no layer 'nowhere'; there are conv, "));
  CHECK(has(error_of([&] {
              record(lrn, lrn.initialise(0), noise({1, 3, 8, 8}), 3);
            }),
            "class 3: expected 0 to 2"));
  Parameters broken = lrn.initialise(0).clone();
  Tensor weight = broken.at("conv.weight").value.clone();
  weight.data()[3] = std::nanf("");
  broken.set("conv.weight", weight);
  CHECK(has(error_of([&] {
              record(lrn, broken, noise({1, 3, 8, 8}));
            }),
            "conv: a value is not finite"));
  Graph flat;
  flat.label("logits",
             linear(flat.root() / "fc", global_avg_pool(flat.input(3)), {.out_features = 2}));
  CHECK(has(error_of([&] {
              record(flat, flat.initialise(0), noise({1, 3, 8, 8}));
            }),
            "needs a network with a convolution"));
  Graph one;
  one.label("logits", global_avg_pool(conv2d(one.root() / "c", one.input(3), {.out_channels = 1})));
  CHECK(has(error_of([&] {
              record(one, one.initialise(0), noise({1, 3, 8, 8}));
            }),
            "two logits or more, got (1,1)"));
}

}  // namespace limbic::walk
