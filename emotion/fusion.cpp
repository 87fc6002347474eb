#include "limbic/emotion/fusion.h"

#include <cmath>
#include <cstring>

namespace limbic::emotion {

void check(const Fusion& fusion) {
  require(fusion.alpha || fusion.beta, "give alpha or beta");
  for (const auto& [name, value] :
       {std::pair{"alpha", fusion.alpha}, std::pair{"beta", fusion.beta}})
    require(!value || (*value >= 0 && *value <= 1), name, " must lie in [0, 1], got ",
            value.value_or(0));
}

std::vector<double> block_weights(const Fusion& fusion, const std::vector<std::string>& roles) {
  check(fusion);
  std::vector<double> weights;
  for (const auto& role : roles) {
    const double emotional = 1 - fusion.beta.value_or(0);
    if (role == "diff1")
      weights.push_back(emotional * fusion.alpha.value_or(1));
    else if (role == "diff2")
      weights.push_back(emotional * (fusion.alpha ? 1 - *fusion.alpha : 1));
    else if (role == "supplement")
      weights.push_back(fusion.beta.value_or(1));
    else
      weights.push_back(1);
  }
  return weights;
}

Tensor join_blocks(const std::vector<Tensor>& blocks) {
  require(!blocks.empty(), "expected one block of features at least");
  int64_t width = 0;
  for (const Tensor& b : blocks) {
    require(b.rank() == 2 && b.dtype() == DType::f32,
            "a block of features: expected F32 (N,D), got ", to_string(b.dtype()), " ",
            to_string(b.shape()));
    width += b.dim(1);
  }
  const int64_t n = blocks[0].dim(0);
  Tensor out({n, width});
  int64_t begin = 0;
  for (const Tensor& b : blocks) {
    require(b.dim(0) == n, "blocks of ", n, " and ", b.dim(0), " rows cannot be joined");
    const int64_t own = b.dim(1);
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(out.data() + i * width + begin, b.data() + i * own,
                  static_cast<size_t>(own) * sizeof(float));
    begin += own;
  }
  return out;
}

std::vector<svm::FeatureBlock> feature_blocks(const std::vector<std::string>& roles,
                                              const std::vector<Tensor>& blocks) {
  require(roles.size() == blocks.size(), "expected a block of features a CNN, got ", blocks.size(),
          " for ", roles.size());
  std::vector<svm::FeatureBlock> out;
  int64_t begin = 0;
  for (size_t i = 0; i < roles.size(); ++i) {
    out.push_back({roles[i], begin, blocks[i].dim(1)});
    begin += blocks[i].dim(1);
  }
  return out;
}

}  // namespace limbic::emotion
