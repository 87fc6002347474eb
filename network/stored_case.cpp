#include "limbic/network/stored_case.h"

#include <algorithm>

#include "limbic/core/random.h"
#include "limbic/network/dtype_choice.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/plan.h"
#include "limbic/weights/compare.h"

namespace limbic::network {
namespace {

constexpr int64_t pictures = 2, largest_side = 64, patches = 8;
const std::string images_name = "limbic.case.images", features_name = "limbic.case.features",
                  logits_name = "limbic.case.logits";

// Patches of random colours under fine noise, about as large as normalised pixels are.
Tensor draw_images(int64_t side) {
  Tensor images({pictures, 3, side, side});
  float* out = images.data();
  for (int64_t plane = 0; plane < pictures * 3; ++plane) {
    Random coarse(1, static_cast<uint64_t>(plane)), fine(2, static_cast<uint64_t>(plane));
    float level[patches][patches];
    for (auto& row : level)
      for (float& x : row) x = static_cast<float>(coarse.uniform(-2, 2));
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x)
        *out++ = level[y * patches / side][x * patches / side] +
                 static_cast<float>(fine.uniform(-0.3, 0.3));
  }
  return images;
}

struct Answers {
  Tensor features, logits;
};

Answers run(const models::Model& model, const Parameters& parameters, const PlanOptions& options,
            const Tensor& images) {
  Plan plan(model.graph, parameters, options);
  plan.run(images);
  return {plan.output("features"), plan.output("logits")};
}

const Tensor& stored(const Network& network, const std::string& name) {
  const auto found = network.extras.find(name);
  require(found != network.extras.end(), "the checkpoint holds no test case (", name,
          "); `limbic convert` writes files that do");
  require(found->second.dtype() == DType::f32 && !found->second.empty(), name,
          ": expected F32 values, got ", to_string(found->second.dtype()), " ",
          to_string(found->second.shape()));
  return found->second;
}

const Tensor& stored_images(const Network& network) {
  const Tensor& images = stored(network, images_name);
  const Shape& shape = images.shape();
  require(
      shape.size() == 4 && shape[0] <= 64 && shape[1] == 3 && shape[2] <= 1024 && shape[3] <= 1024,
      images_name, ": expected pictures (N,3,H,W), at most 64 of 1024 pixels a side, got ",
      to_string(shape));
  return images;
}

CaseResult compare(const Network& network, const Tensor& images, const PlanOptions& options) {
  const Tensor &features = stored(network, features_name), &logits = stored(network, logits_name);
  CaseResult result;
  result.tuned = options.tune;
  result.dtype = activation_name(options.dtype);
  result.limit = options.dtype == DType::bf16 ? 5e-2 : options.dtype == DType::i8 ? 0.5 : 1e-4;
  Answers got;
  try {
    got = run(network.model, network.parameters, options, images);
  } catch (const Error& error) {
    result.refused = error.what();
    return result;
  }
  require(got.logits.shape() == logits.shape() && got.features.shape() == features.shape(),
          logits_name, ": expected ", to_string(got.logits.shape()), ", got ",
          to_string(logits.shape()), "; the stored case belongs to another network");
  const weights::Comparison differences = weights::compare_tensors(
      {features_name, logits_name}, {{features_name, got.features}, {logits_name, got.logits}},
      {{features_name, features}, {logits_name, logits}}, result.limit);
  result.features = differences.differences[0].relative;
  result.logits = differences.differences[1].relative;
  const auto classes = static_cast<size_t>(logits.dim(1));
  result.same_classes = true;
  for (size_t i = 0; i < static_cast<size_t>(logits.dim(0)); ++i)
    result.same_classes =
        result.same_classes && argmax(got.logits.values().subspan(i * classes, classes)) ==
                                   argmax(logits.values().subspan(i * classes, classes));
  return result;
}

}  // namespace

std::map<std::string, Tensor> make_stored_case(const models::Model& model,
                                               const Parameters& parameters) {
  const Tensor images = draw_images(std::min(largest_side, model.image_size));
  PlanOptions options = PlanOptions::inference(images.shape());
  options.winograd = false;
  const Answers answers = run(model, parameters, options, images);
  return {{images_name, images}, {features_name, answers.features}, {logits_name, answers.logits}};
}

void check_stored_case(const Network& network) {
  const Tensor& images = stored_images(network);
  const CaseResult result = compare(network, images, PlanOptions::inference(images.shape()));
  require(result.passed(),
          "the stored test case gives other logits here: ||a-b|| / ||b|| = ", result.logits,
          ", at most ", result.limit, " was expected; `limbic verify` says more");
}

std::vector<CaseResult> run_stored_case(const Network& network) {
  const Tensor& images = stored_images(network);
  const Shape& shape = images.shape();
  std::vector<CaseResult> results;
  for (const DType dtype : {DType::f32, DType::bf16, DType::i8})
    for (const bool tune : {false, true}) {
      PlanOptions options = PlanOptions::inference(shape);
      options.dtype = dtype;
      options.tune = tune;
      if (dtype == DType::i8)
        options.calibration = calibrate(network.model.graph, network.parameters, {images});
      results.push_back(compare(network, images, options));
    }
  return results;
}

}  // namespace limbic::network
