#include "limbic/twins/check_gradient.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "limbic/nn/compile/program.h"
#include "limbic/twins/differentiate.h"

namespace limbic::twins {
namespace {

constexpr double step = 1e-5;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Parameters away from their special first values: norms scale and shift, variances are positive.
Parameters randomised(const Graph& graph) {
  Parameters parameters = graph.initialise(7);
  for (const auto& [name, parameter] : parameters) {
    if (parameter.value.dtype() != DType::f32) continue;
    Random random(11, hash_name(name.c_str()));
    const bool positive = name.ends_with("running_var");
    for (float& x : parameter.value.values()) {
      if (positive)
        x = static_cast<float>(random.uniform(0.5, 2));
      else if (parameter.value.rank() == 1)
        x = static_cast<float>(x + 0.5 * random.normal());
    }
  }
  return parameters;
}

PlanOptions options_of(const GradientCase& c) {
  PlanOptions options = PlanOptions::training(c.input);
  options.batch_statistics = c.batch_statistics;
  options.dropout = false;
  options.input_gradient = true;
  options.keep = {"out"};
  options.loss_at = "out";
  options.frozen = c.frozen;
  options.poison = true;
  return options;
}

// Of L = sum(weights * value of node "out"); all empty where the case's own twin has no backward.
Derivatives twin_derivatives(const Graph& graph, Arrays parameters, const Array& input,
                             const std::vector<double>& weights, const Mode& mode) {
  if (mode.twin.forward && !mode.twin.backward)
    return {std::vector<Array>(graph.nodes().size()), {}};
  const Arrays before = parameters;
  const auto values = evaluate(graph, parameters, input, mode);
  const int out = graph.find("out");
  Array diff(values[static_cast<size_t>(out)].shape);
  diff.values = weights;
  return differentiate(graph, before, values, out, diff, mode);
}

// Up to `samples` of n elements: all of them, or drawn by the tensor's name.
std::vector<size_t> sampled(const std::string& name, int64_t n, int64_t samples) {
  std::vector<size_t> elements;
  Random pick(5, hash_name(name.c_str()));
  const int64_t tried = std::min(n, samples);
  for (int64_t k = 0; k < tried; ++k)
    elements.push_back(static_cast<size_t>(tried == n ? k : pick.below(n)));
  return elements;
}

// Of running statistics after the run; `twin` as evaluate has left them.
double statistics_error(const Plan& plan, const Parameters& parameters, const Arrays& twin) {
  double worst = 0;
  Parameters after = parameters.clone();
  plan.store(after);
  for (const auto& [name, parameter] : after)
    if (name.find("running_") != std::string::npos)
      worst = std::max(worst,
                       relative_error(from_tensor(parameter.value).values, twin.at(name).values));
  return worst;
}

Comparison compare(std::string what, std::span<const double> fast, std::span<const double> plain) {
  Comparison c{
      .what = std::move(what), .error = relative_error(fast, plain), .elements = std::ssize(plain)};
  const auto distance = [&](int64_t i) {
    const double d = std::abs(fast[static_cast<size_t>(i)] - plain[static_cast<size_t>(i)]);
    return std::isfinite(d) ? d : INFINITY;
  };
  for (int64_t i = 1; i < c.elements; ++i)
    if (distance(i) > distance(c.worst)) c.worst = i;
  if (c.elements > 0) {
    c.fast = fast[static_cast<size_t>(c.worst)];
    c.plain = plain[static_cast<size_t>(c.worst)];
  }
  return c;
}

}  // namespace

double relative_error(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "relative_error: ", a.size(), " values against ", b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  const double error = std::sqrt(difference) / std::max(std::sqrt(norm), 1e-12);
  return std::isfinite(error) ? error : INFINITY;  // std::max would drop a NaN
}

GradientErrors check_gradient(const GradientCase& c, bool fuse, int64_t samples) {
  Graph graph;
  graph.label("out", c.build(graph));
  const int out_node = graph.find("out");
  const Parameters parameters = randomised(graph);
  Random random(3);
  Tensor input(c.input);
  for (float& x : input.values()) x = static_cast<float>(random.normal());

  PlanOptions options = options_of(c);
  options.fuse = fuse;
  if (fuse) options.recompute_above = 0;  // and once without
  Plan plan(graph, parameters, options);
  plan.run(input);

  Arrays twin_parameters = from_parameters(parameters);
  Array twin_input = from_tensor(input);
  const Mode mode{.batch_statistics = c.batch_statistics, .frozen = c.frozen, .twin = c.twin};
  // The graph's own output alone: running statistics must not move between two evaluations.
  const auto output_of = [&](Arrays p) {
    return evaluate(graph, p, twin_input, mode)[static_cast<size_t>(out_node)].values;
  };
  GradientErrors errors;
  errors.tensors.push_back(
      compare("output", from_tensor(plan.output("out")).values, output_of(twin_parameters)));
  errors.output = errors.tensors.back().error;

  std::vector<double> weights(static_cast<size_t>(count(graph.infer(c.input).back())));
  std::vector<float> diff;
  for (double& w : weights) diff.push_back(static_cast<float>(w = float(random.normal())));
  plan.backward(diff);

  Derivatives derivatives = twin_derivatives(graph, twin_parameters, twin_input, weights, mode);
  const auto check = [&](const std::string& name, const Tensor& fast, Array& twin,
                         const Array& derivative) {
    std::vector<double> fast_values, twin_values, differences;
    const std::vector<size_t> elements = sampled(name, fast.size(), samples);
    for (const size_t i : elements) {
      const double before = twin.values[i];
      twin.values[i] = before + step;
      const double up = dot(output_of(twin_parameters), weights);
      twin.values[i] = before - step;
      const double down = dot(output_of(twin_parameters), weights);
      twin.values[i] = before;
      differences.push_back((up - down) / (2 * step));
      fast_values.push_back(static_cast<double>(fast.data()[i]));
      twin_values.push_back(derivative.empty() ? differences.back() : derivative.values[i]);
    }
    errors.twin = std::max(errors.twin, relative_error(twin_values, differences));
    Comparison found = compare("gradient of " + name, fast_values, differences);
    if (!elements.empty())
      found.worst = static_cast<int64_t>(elements[static_cast<size_t>(found.worst)]);
    if (found.error >= errors.gradient) {
      errors.gradient = found.error;
      errors.worst = name;
    }
    errors.tensors.push_back(std::move(found));
  };
  check("input", plan.gradient("input"), twin_input, derivatives.values[0]);
  for (const auto& entry : parameters) {
    const std::string& name = entry.first;
    const auto frozen = [&](const std::string& path) { return lies_within(name, path); };
    if (!entry.second.trainable || std::any_of(c.frozen.begin(), c.frozen.end(), frozen)) continue;
    check(name, plan.parameter_gradient(name), twin_parameters.at(name),
          derivatives.parameters[name]);
  }

  evaluate(graph, twin_parameters, twin_input, mode);
  errors.statistics = statistics_error(plan, parameters, twin_parameters);
  return errors;
}

GradientErrors compare_dtype(const GradientCase& c, DType dtype) {
  Graph graph;
  graph.label("out", c.build(graph));
  const Parameters parameters = randomised(graph);
  Random random(3);
  Tensor input(c.input);
  for (float& x : input.values())
    x = to_f32(from_f32<BFloat16>(static_cast<float>(random.normal())));
  std::vector<float> diff(static_cast<size_t>(count(graph.infer(c.input).back())));
  for (float& d : diff) d = static_cast<float>(random.normal());

  PlanOptions options = options_of(c);
  Plan expected(graph, parameters, options);
  options.dtype = dtype;
  Plan plan(graph, parameters, options);
  for (Plan* p : {&expected, &plan}) {
    p->run(input);
    p->backward(diff);
  }
  const auto error = [](const Tensor& a, const Tensor& b) {
    return relative_error(from_tensor(a).values, from_tensor(b).values);
  };
  GradientErrors errors;
  const auto gradient = [&](const std::string& name, double e) {
    if (e < errors.gradient) return;
    errors.gradient = e;
    errors.worst = name;
  };
  errors.output = error(plan.output("out"), expected.output("out"));
  gradient("input", error(plan.gradient("input"), expected.gradient("input")));
  for (const PackedParameter& p : plan.program().packed())
    if (p.trainable)
      gradient(p.name, error(plan.parameter_gradient(p.name), expected.parameter_gradient(p.name)));
  Parameters after = parameters.clone(), expected_after = parameters.clone();
  plan.store(after);
  expected.store(expected_after);
  for (const auto& [name, parameter] : after)
    if (name.find("running_") != std::string::npos)
      errors.statistics =
          std::max(errors.statistics, error(parameter.value, expected_after.at(name).value));
  return errors;
}

std::vector<Comparison> compare_layers(const Graph& graph, const Parameters& parameters,
                                       const Tensor& images, PlanOptions plan_options,
                                       const Twin& twin) {
  plan_options.fuse = plan_options.dropout = false;
  const auto& nodes = graph.nodes();
  for (size_t n = 1; n < nodes.size(); ++n) plan_options.keep.push_back(nodes[n].name);
  Plan plan(graph, parameters, plan_options);
  plan.run(images);
  Arrays plain = from_parameters(parameters);
  const std::vector<Array> values = evaluate(graph, plain, from_tensor(images),
                                             {.batch_statistics = plan_options.batch_statistics,
                                              .frozen = plan_options.frozen,
                                              .twin = twin});
  std::vector<Comparison> out;
  for (size_t n = 1; n < nodes.size(); ++n)
    out.push_back(
        compare(nodes[n].name, from_tensor(plan.output(nodes[n].name)).values, values[n].values));
  return out;
}

std::string to_string(const std::vector<Comparison>& tensors, double bound) {
  size_t width = 0;
  for (const Comparison& c : tensors) width = std::max(width, c.what.size());
  std::string out;
  for (const Comparison& c : tensors) {
    char line[160];
    std::snprintf(line, sizeof line, "  %7.1e  %s  of %lld elements; [%lld]: %.6g, plain %.6g\n",
                  c.error, c.error <= bound ? "ok     " : "TOO FAR",
                  static_cast<long long>(c.elements), static_cast<long long>(c.worst), c.fast,
                  c.plain);
    out += c.what + std::string(width - c.what.size(), ' ') + line;
  }
  return out;
}

}  // namespace limbic::twins
