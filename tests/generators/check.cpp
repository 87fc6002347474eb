#include "tests/generators/check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "limbic/core/parallel.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/twins/check_gradient.h"
#include "limbic/twins/differentiate.h"

namespace limbic::generators {
namespace {

using twins::Array;

// Everything that the twins say of one network, data and mode.
struct Twin {
  std::vector<Array> values;
  twins::Derivatives derivatives;
  twins::Arrays parameters;  // after the run
};

struct Data {
  Tensor images;
  Parameters parameters;
  std::vector<float> diff;
};

double rounded(double x, DType dtype) {
  const auto f = static_cast<float>(x);
  return static_cast<double>(dtype == DType::bf16 ? to_f32(from_f32<BFloat16>(f)) : f);
}

Data draw(const Graph& graph, const Recipe& recipe, const Setting& s, uint64_t seed) {
  Data d{Tensor(recipe.input), graph.initialise(seed), {}};
  Random random(seed);
  for (float& x : d.images.values()) x = static_cast<float>(rounded(random.normal(), s.dtype));
  for (const auto& [name, parameter] : d.parameters) {
    if (parameter.value.dtype() != DType::f32) continue;
    Tensor t = parameter.value.clone();
    const bool positive = name.ends_with("running_var");
    for (float& x : t.values()) {
      if (positive)
        x = static_cast<float>(random.uniform(0.5, 2));
      else if (t.rank() == 1)
        x = static_cast<float>(x + 0.5 * random.normal());
    }
    d.parameters.set(name, t);
  }
  const Shape out = graph.infer(recipe.input)[static_cast<size_t>(s.loss)];
  for (int64_t i = 0; i < count(out); ++i)
    d.diff.push_back(static_cast<float>(rounded(random.normal(), s.dtype)));
  return d;
}

// As far away as rounding the data would take them.
Data disturbed(const Data& data, const Setting& s, uint64_t seed) {
  Data out{data.images.clone(), data.parameters.clone(), data.diff};
  Random random(seed);
  const float unit = s.dtype == DType::bf16 ? 0x1p-8f : 0x1p-24f;
  const auto disturb = [&](std::span<float> values) {
    for (float& x : values) x *= 1 + unit * static_cast<float>(random.uniform(-1, 1));
  };
  disturb(out.images.values());
  disturb(out.diff);
  for (const auto& [name, parameter] : out.parameters)
    if (parameter.value.dtype() == DType::f32) disturb(parameter.value.values());
  return out;
}

Twin compute(const Graph& graph, const Data& data, const Setting& s, bool round) {
  twins::Mode mode{.batch_statistics = s.batch_statistics, .frozen = s.frozen};
  if (round) mode.round = [&](double x) { return rounded(x, s.dtype); };
  Twin twin;
  const twins::Arrays before = twins::from_parameters(data.parameters);
  twin.parameters = before;
  twin.values = twins::evaluate(graph, twin.parameters, twins::from_tensor(data.images), mode);
  if (!s.training) return twin;
  Array diff(twin.values[static_cast<size_t>(s.loss)].shape);
  std::copy(data.diff.begin(), data.diff.end(), diff.values.begin());
  twin.derivatives = twins::differentiate(graph, before, twin.values, s.loss, diff, mode);
  return twin;
}

double norm(const std::vector<double>& a) {
  double sum = 0;
  for (double x : a) sum += x * x;
  return std::sqrt(sum);
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < b.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

// What batch norms multiply gradients by where a channel hardly varies: the product of each norm's
// largest 1 / deviation, of those above 1.
double amplification(const Graph& graph, const Twin& twin) {
  double product = 1;
  for (size_t n = 1; n < graph.nodes().size(); ++n) {
    const auto* op = dynamic_cast<const BatchNorm*>(graph.nodes()[n].op.get());
    if (!op) continue;
    const Array& x = twin.values[static_cast<size_t>(graph.nodes()[n].src[0])];
    const int64_t per_image = x.height() * x.width(), n_images = x.shape[0];
    double largest = 1;
    for (int64_t c = 0; c < x.shape[1]; ++c) {
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < n_images * per_image; ++i) {
        const double v = x.at(i / per_image, c, i % per_image / x.width(), i % x.width());
        sum += v;
        squares += v * v;
      }
      const double count_of = static_cast<double>(n_images * per_image), mean = sum / count_of;
      const double variance = std::max(0.0, squares / count_of - mean * mean);
      largest = std::max(largest, 1 / std::sqrt(variance + op->options().epsilon));
    }
    product *= largest;
  }
  return product;
}

using Part = std::function<const Array&(const Twin&)>;

class Comparison {
 public:
  Comparison(const Graph& graph, const Data& data, const Twin& twin, const Setting& s, Tally& tally)
      : graph_(graph), data_(data), twin_(twin), setting_(s), tally_(tally) {}

  void compare(const std::string& what, const Tensor& fast, const Part& part, bool gradient) {
    const std::vector<double> a = twins::from_tensor(fast).values, &b = part(twin_).values;
    ++tally_.tensors;
    if (a.size() != b.size()) return report(what, "has another size");
    if (std::any_of(a.begin(), a.end(), [](double x) { return !std::isfinite(x); }))
      return report(what, "holds values that are not finite");
    const double error = distance(a, b), size = norm(b);
    const double limit = setting_.dtype == DType::bf16 ? 4e-2 : gradient ? 1e-3 : 1e-4;
    double& worst = gradient ? tally_.worst_gradient : tally_.worst_output;
    if (error <= limit * size) {
      if (size > 0) worst = std::max(worst, error / size);
      return;
    }
    const double rounding = plain_rounding(part);
    // Where the twin has nothing but its own rounding, f32 may have its own.
    const double root = std::sqrt(static_cast<double>(b.size()));
    const bool is_zero = size <= 1e-9 * root && error <= 2e-6 * root * amplification(graph_, twin_);
    const bool is_last_digit = gradient && error <= 3e-7 * root;  // of terms of size 1
    if (error <= 100 * rounding || is_zero || is_last_digit) {
      ++tally_.cancelling;
      return;
    }
    report(what, str_cat("is off by ", error, " of ", size, " (plain rounding: ", rounding, ")"));
  }

  void report(const std::string& what, const std::string& how) {
    if (!failure_) failure_ = what + " " + how;
  }
  const std::optional<std::string>& failure() const { return failure_; }

 private:
  // How far rounding moves the twin itself, the furthest of a few draws.
  double plain_rounding(const Part& part) {
    for (uint64_t draw = rounded_.size(); draw < 4; ++draw)
      rounded_.push_back(compute(graph_, disturbed(data_, setting_, draw), setting_, true));
    double furthest = 0;
    for (const Twin& twin : rounded_)
      furthest = std::max(furthest, distance(part(twin).values, part(twin_).values));
    return furthest;
  }

  const Graph& graph_;
  const Data& data_;
  const Twin& twin_;
  const Setting& setting_;
  Tally& tally_;
  std::vector<Twin> rounded_;
  std::optional<std::string> failure_;
};

std::string label_of(int value) { return value == 0 ? "input" : "v" + std::to_string(value); }

PlanOptions options_of(const Recipe& recipe, const Setting& s) {
  PlanOptions o = PlanOptions::inference(recipe.input);
  o.gradients = s.training;
  o.input_gradient = s.training;
  o.batch_statistics = s.batch_statistics;
  o.fuse = s.fuse;
  o.winograd = s.winograd;
  if (s.rebuild) o.recompute_above = 0;
  o.dtype = s.dtype;
  o.frozen = s.frozen;
  o.poison = true;
  o.loss_at = label_of(s.loss);
  o.keep = {label_of(s.loss)};
  for (int v : s.keep) o.keep.push_back(label_of(v));
  for (int v : s.keep_gradients) o.keep_gradients.push_back(label_of(v));
  return o;
}

bool is_frozen(const std::string& name, const Setting& s) {
  return std::any_of(s.frozen.begin(), s.frozen.end(),
                     [&](const std::string& path) { return lies_within(name, path); });
}

void compare_outputs(Plan& plan, Comparison& c) {
  for (const std::string& name : plan.program().options().keep) {
    const auto v = name == "input" ? 0 : std::stoul(name.substr(1));
    c.compare(
        "output " + name, plan.output(name),
        [v](const Twin& t) -> const Array& { return t.values[v]; }, false);
  }
}

void compare_gradients(Plan& plan, const Setting& s, Comparison& c) {
  std::vector<int> values = s.keep_gradients;
  values.push_back(0);
  for (int v : values)
    c.compare(
        "gradient of " + label_of(v), plan.gradient(label_of(v)),
        [v](const Twin& t) -> const Array& { return t.derivatives.values[static_cast<size_t>(v)]; },
        true);
  for (const PackedParameter& p : plan.program().packed())
    if (p.trainable)
      c.compare(
          "gradient of " + p.name, plan.parameter_gradient(p.name),
          [&](const Twin& t) -> const Array& { return t.derivatives.parameters.at(p.name); }, true);
}

// Of the nodes that somebody needs: the others are not computed.
std::set<std::string> parameters_of(const Plan& plan) {
  const Graph& graph = plan.program().graph();
  std::set<std::string> names;
  for (const Node& node : graph.nodes())
    names.insert(node.parameters.begin(), node.parameters.end());
  return names;
}

void compare_stored(const Plan& plan, const Data& data, const Setting& s, Comparison& c) {
  Parameters after = data.parameters.clone();
  const std::set<std::string> computed = parameters_of(plan);
  plan.store(after);
  for (const auto& entry : after) {
    const std::string& name = entry.first;
    const Tensor& value = entry.second.value;
    if (value.dtype() != DType::f32) continue;
    if (name.find(".running_") != std::string::npos && computed.count(name) > 0 &&
        !is_frozen(name, s)) {
      c.compare(
          "stored " + name, value,
          [&](const Twin& t) -> const Array& { return t.parameters.at(name); }, false);
      continue;
    }
    const Tensor& before = data.parameters.at(name).value;
    if (!std::equal(before.data(), before.data() + before.size(), value.data()))
      c.report("stored " + name, "has changed without a step");
  }
}

// A loss far from kinks, so that f32 and f64 agree on every mask; where there is none, the last.
bool find_data(const Graph& graph, const Recipe& recipe, const Setting& s, uint64_t seed,
               Data& data, Twin& twin) {
  for (uint64_t attempt = 0; attempt < 8; ++attempt) {
    data = draw(graph, recipe, s, combine(seed, attempt));
    twin = compute(graph, data, s, false);
    if (!s.training || s.dtype != DType::f32 ||
        twins::distance_from_kinks(graph, twin.values) > 3e-6)
      return true;
  }
  return false;
}

}  // namespace

std::string Setting::code(const Recipe& recipe) const {
  std::string out = str_cat("auto o = PlanOptions::inference({", recipe.input[0], ", ",
                            recipe.input[1], ", ", recipe.input[2], ", ", recipe.input[3], "});\n");
  const auto flag = [&](const char* name, bool value) {
    out += str_cat("o.", name, " = ", value ? "true" : "false", ";\n");
  };
  if (training) out += str_cat("o.gradients = o.input_gradient = true;\n");
  if (batch_statistics) flag("batch_statistics", true);
  if (!fuse) flag("fuse", false);
  if (!winograd) flag("winograd", false);
  if (rebuild) out += "o.recompute_above = 0;\n";
  if (dtype != DType::f32) out += "o.dtype = DType::bf16;\n";
  out += str_cat("o.loss_at = \"", label_of(loss), "\"; o.keep = {\"", label_of(loss), "\"");
  for (int v : keep) out += str_cat(", \"", label_of(v), "\"");
  out += "};\n";
  for (int v : keep_gradients)
    out += str_cat("o.keep_gradients.push_back(\"", label_of(v), "\");\n");
  for (const std::string& path : frozen) out += str_cat("o.frozen.push_back(\"", path, "\");\n");
  return out + str_cat("set_threads(", threads, ");\n");
}

std::vector<Setting> settings_for(const Recipe& recipe, uint64_t seed, DType dtype) {
  Random random(combine(seed, 77));
  const auto chance = [&](int64_t one_in) { return random.below(one_in) == 0; };
  const int last = static_cast<int>(recipe.layers.size());
  std::vector<Setting> out;
  for (int kind = 0; kind < 7; ++kind) {
    Setting s{.training = kind >= 3, .dtype = dtype};
    s.batch_statistics = s.training && kind != 6;
    s.fuse = kind != 1 && kind != 4;
    s.winograd = !chance(3);
    s.rebuild = kind == 5 || (s.training && chance(3));
    s.threads = 1 + static_cast<int>(random.below(3));
    s.loss = chance(3) ? 1 + static_cast<int>(random.below(last)) : last;
    for (int64_t i = kind == 0 ? 0 : random.below(4); i > 0; --i)
      s.keep.push_back(1 + static_cast<int>(random.below(last)));
    if (s.training && chance(2))
      for (int i = 0; i < last; ++i) {
        const Layer::Kind k = recipe.layers[static_cast<size_t>(i)].kind;
        if (chance(4) && k == Layer::Kind::norm)
          s.frozen.push_back(name_of(i) + (chance(2) ? "" : chance(2) ? ".weight" : ".bias"));
        if (chance(4) && k == Layer::Kind::conv)
          s.frozen.push_back(name_of(i) + (chance(2) ? "" : ".weight"));
      }
    out.push_back(std::move(s));
  }
  return out;
}

std::optional<std::string> failure(const Recipe& recipe, const Setting& setting, uint64_t seed,
                                   Tally& tally) {
  Graph graph;
  Setting s = setting;
  Data data;
  Twin twin;
  try {
    recipe.build(graph);
    const int last = static_cast<int>(recipe.layers.size());
    if (last == 0) return {};
    s.loss = std::min(s.loss, last);
    const auto beyond = [&](int v) { return v > last; };
    s.keep.erase(std::remove_if(s.keep.begin(), s.keep.end(), beyond), s.keep.end());
    s.frozen.erase(
        std::remove_if(
            s.frozen.begin(), s.frozen.end(),
            [&](const std::string& path) {
              return std::none_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& n) {
                return std::any_of(n.parameters.begin(), n.parameters.end(),
                                   [&](auto& name) { return lies_within(name, path); });
              });
            }),
        s.frozen.end());
    if (!find_data(graph, recipe, s, seed, data, twin)) {
      ++tally.at_kinks;
      return {};
    }
    s.keep_gradients.clear();
    if (s.training)
      for (int v : s.keep)
        if (!twin.derivatives.values[static_cast<size_t>(v)].values.empty())
          s.keep_gradients.push_back(v);
  } catch (const Error&) {
    return {};  // no network
  }
  ++tally.plans;
  Comparison c(graph, data, twin, s, tally);
  set_threads(s.threads);
  try {
    Plan plan(graph, data.parameters, options_of(recipe, s));
    plan.run(data.images);
    compare_outputs(plan, c);
    if (s.training) {
      plan.backward(data.diff);
      compare_gradients(plan, s, c);
    }
    compare_stored(plan, data, s, c);
  } catch (const std::exception& e) {
    c.report("the plan", str_cat("throws: ", e.what()));
  }
  return c.failure();
}

}  // namespace limbic::generators
