#include "limbic/network/dtype_choice.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "limbic/core/random.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/cpu/tuner.h"

namespace limbic::network {

std::string activation_name(DType dtype) {
  return dtype == DType::bf16 ? "bf16" : dtype == DType::i8 ? "int8" : "f32";
}

DType activation_dtype(const std::string& name) {
  for (const DType dtype : {DType::bf16, DType::i8})
    if (name == activation_name(dtype)) return dtype;
  return DType::f32;
}

std::vector<DType> dtypes_here() {
  std::vector<DType> out = {DType::f32};
  if (onednn::has_bf16_instructions()) out.push_back(DType::bf16);
  if (onednn::has_int8_instructions()) out.push_back(DType::i8);
  return out;
}

namespace {

std::string names(const std::vector<DType>& dtypes) {
  std::string out;
  for (DType dtype : dtypes) out += (out.empty() ? "" : ", ") + activation_name(dtype);
  return out;
}

std::string percent(double share) {
  const auto tenths = static_cast<int64_t>(share * 1000);  // 99.96 % is not 100 %
  return str_cat(tenths / 10, tenths % 10 ? str_cat('.', tenths % 10) : "", " %");
}

}  // namespace

size_t fastest_plan(const models::Model& model, const Parameters& parameters,
                    const std::vector<PlanOptions>& options) {
  std::vector<DType> dtypes;
  std::vector<Tuner::Candidate> candidates;
  for (const PlanOptions& o : options) {
    dtypes.push_back(o.dtype);
    candidates.push_back({activation_name(o.dtype), {}});
  }
  const std::string key = str_cat("dtype of ", model.name, ", ", model.classes, " classes, ",
                                  to_string(options[0].input), options[0].tune ? "" : ", untuned",
                                  ", of ", names(dtypes));
  Tuner& tuner = Tuner::shared();
  if (const auto known = tuner.remembered(key, candidates)) return *known;
  Tensor images(options[0].input);
  Random random(0);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  for (size_t i = 0; i < options.size(); ++i) {
    const auto plan = std::make_shared<Plan>(model.graph, parameters, options[i]);
    candidates[i].run = [plan, images] { plan->run(images); };
  }
  const size_t best = tuner.choose(key, candidates);
  tuner.save();
  return best;
}

namespace {

std::vector<int64_t> first_classes(const DtypeQuestion& q, PlanOptions options,
                                   const std::vector<Tensor>& batches) {
  options.input = batches[0].shape();
  Predictor predictor(q.model, q.parameters, options);
  std::vector<int64_t> out;
  for (const Tensor& batch : batches) {
    const Tensor logits = predictor.run(batch);
    for (int64_t i = 0; i < logits.dim(0); ++i)
      out.push_back(argmax(logits.rows(i, i + 1).values()));
  }
  return out;
}

}  // namespace

DtypeAnswer choose_dtype(const DtypeQuestion& q, const std::vector<DType>& candidates,
                         decltype(fastest_plan)& fastest) {
  require(std::find(candidates.begin(), candidates.end(), DType::f32) != candidates.end(),
          "choose_dtype: f32 is always a candidate");
  const auto with = [&](DType dtype) {
    PlanOptions o = q.options;
    o.dtype = dtype;
    return o;
  };
  if (candidates.size() == 1)
    return {with(DType::f32), "f32; this processor has no instructions for bf16 or int8"};
  const std::vector<Tensor> batches = q.pictures();
  require(!batches.empty(), "a dtype cannot be chosen without pictures to try it on");
  std::vector<PlanOptions> options;
  for (DType dtype : candidates) {
    options.push_back(with(dtype));
    if (dtype == DType::i8)
      options.back().calibration = calibrate(q.model.graph, q.parameters, batches);
  }
  std::vector<int64_t> right;  // f32's first classes, once a narrow dtype is held against them
  std::string refused;
  while (true) {
    const auto best =
        options.begin() + static_cast<std::ptrdiff_t>(fastest(q.model, q.parameters, options));
    std::string reason = activation_name(best->dtype);
    if (options.size() > 1) {
      std::vector<DType> left;
      for (const PlanOptions& o : options) left.push_back(o.dtype);
      reason += str_cat(", the fastest here of ", names(left));
    }
    if (best->dtype == DType::f32) return {*best, reason + refused};
    if (right.empty()) right = first_classes(q, with(DType::f32), batches);
    const std::vector<int64_t> got = first_classes(q, *best, batches);
    int64_t same = 0;
    for (size_t i = 0; i < got.size(); ++i) same += got[i] == right[i];
    const double share = static_cast<double>(same) / static_cast<double>(got.size());
    const std::string kept =
        str_cat(" keeps ", percent(share), " of f32's first classes on ", got.size(), " pictures");
    if (share >= q.agreement) return {*best, reason + "; it" + kept + refused};
    refused += str_cat("; ", activation_name(best->dtype), kept, ", not the ", percent(q.agreement),
                       " asked for");
    options.erase(best);
  }
}

}  // namespace limbic::network
