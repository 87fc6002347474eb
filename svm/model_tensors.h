#pragma once
// An RBF classifier and a scaler as named tensors, as a file keeps them.
#include <map>
#include <string>

#include "limbic/svm/scaler.h"
#include "limbic/svm/svc.h"

namespace limbic::svm {

using Tensors = std::map<std::string, Tensor>;

/// A copy of the tensor `name`. Throws Error "SOURCE: ..." where there is none, where it has
/// another type or shape (-1: any size), and where a number in it is not finite.
Tensor take_tensor(const Tensors& tensors, const std::string& name, DType dtype, const Shape& shape,
                   const std::string& source);

/// Adds, for n support vectors of k classes and d features: "svm.support_vectors" F32 (n,d),
/// "svm.dual_coef" F64 (k-1,n), "svm.rho" F64 (k(k-1)/2), "svm.n_sv" I64 (k), "svm.classes" I32
/// (k), "svm.gamma_temperature" F64 (2). Throws Error for another kernel than RBF.
void add_tensors(const SvcModel& model, Tensors& into);
/// The classifier of such tensors. Throws Error "SOURCE: ..." for the first thing that is wrong.
SvcModel svc_from_tensors(const Tensors& tensors, const std::string& source);

/// Adds "scaler.centre", "scaler.factor", "scaler.offset" and "scaler.variance", F64 (d) each.
void add_tensors(const BlockScaler& scaler, Tensors& into);
/// The scaler of such tensors. Throws Error as svc_from_tensors, also unless the blocks cover the d
/// features one after the other.
BlockScaler scaler_from_tensors(const Tensors& tensors, std::vector<FeatureBlock> blocks,
                                const std::string& source);

}  // namespace limbic::svm
