#include "limbic/weights/load.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

using Names = std::vector<std::string>;

bool is_batch_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

bool has_prefix(const std::string& name, const std::string& prefix) {
  return name == prefix || name.starts_with(prefix + ".");
}

bool convertible(DType from, DType to) {
  const bool floating = from == DType::f64 || from == DType::f16 || from == DType::bf16;
  return from == to || (to == DType::f32 && floating);
}

// Same rank, same everything but the number of classes.
bool only_classes_differ(const Shape& a, const Shape& b) {
  return a.size() == b.size() && !a.empty() && a[0] != b[0] &&
         std::equal(a.begin() + 1, a.end(), b.begin() + 1);
}

float from_f16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

// Nearest, ties to even.
uint16_t to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000)  // infinity, NaN
    return static_cast<uint16_t>(sign | 0x7c00 | (magnitude > 0x7f800000 ? 0x200 : 0));
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);  // 2^16 and more
  if (magnitude < 0x38800000) {  // below 2^-14: a multiple of 2^-24
    const float steps = std::bit_cast<float>(magnitude) * 0x1p24f;
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(steps)));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// "3 missing (a, b, c)", abbreviated after eight names.
void add_list(std::string& message, const Names& names, const char* what) {
  if (names.empty()) return;
  constexpr size_t shown = 8;
  message += str_cat(message.empty() ? "" : "; ", names.size(), " ", what, " (");
  for (size_t i = 0; i < std::min(names.size(), shown); ++i) message += (i ? ", " : "") + names[i];
  if (names.size() > shown) message += str_cat(" and ", names.size() - shown, " more");
  message += ")";
}

class Loader {
 public:
  Loader(const std::map<std::string, Tensor>& from, const Parameters& into,
         const LoadOptions& options)
      : from_(from), into_(into), options_(options) {
    find_replaced();
    for (const auto& [name, parameter] : into_) match(name, parameter.value);
    for (const auto& [name, tensor] : from_)
      if (!into_.contains(name) && !is_batch_counter(name)) unexpected_.push_back(in_quotes(name));
  }

  void throw_if_wrong() const {
    throw_unless_fitting();
    const auto n = static_cast<int64_t>(accepted.size());
    std::vector<char> finite(accepted.size());
    parallel_for_dynamic(n, [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      finite[at] = all_finite(accepted[at].second);
    });
    const auto bad = std::find(finite.begin(), finite.end(), 0);
    if (bad != finite.end())
      fail(options_.source, ": tensor ",
           in_quotes(accepted[static_cast<size_t>(bad - finite.begin())].first),
           " holds NaN or infinity; the training that wrote it came apart, take an earlier file");
  }

  void throw_unless_fitting() const {
    std::string message;
    add_list(message, missing_, "missing");
    add_list(message, unexpected_, "unexpected");
    add_list(message, misshapen_, "misshapen");
    require(message.empty(), options_.source, " does not fit the model: ", message,
            ". Is this the right --model?");
  }

  std::vector<std::pair<std::string, Tensor>> accepted;
  LoadReport report;

 private:
  // One tensor with another number of classes makes the whole classifier a fresh one.
  void find_replaced() {
    for (const std::string& prefix : options_.replaceable)
      for (const auto& [name, parameter] : into_) {
        const auto found = from_.find(name);
        if (has_prefix(name, prefix) && found != from_.end() &&
            only_classes_differ(found->second.shape(), parameter.value.shape()))
          replaced_.insert(prefix);
      }
  }

  bool is_replaced(const std::string& name) const {
    return std::any_of(replaced_.begin(), replaced_.end(),
                       [&](const std::string& prefix) { return has_prefix(name, prefix); });
  }

  void match(const std::string& name, const Tensor& own) {
    const auto found = from_.find(name);
    if (found == from_.end()) {
      if (!is_batch_counter(name)) missing_.push_back(in_quotes(name));
      return;
    }
    const Tensor& given = found->second;
    const bool same_shape = given.shape() == own.shape();
    if (is_replaced(name) && (same_shape || only_classes_differ(given.shape(), own.shape()))) {
      report.replaced.push_back({name, given.shape(), own.shape()});
    } else if (same_shape && convertible(given.dtype(), own.dtype())) {
      accepted.emplace_back(name, given.dtype() == own.dtype() ? given : to_f32(given));
    } else {
      misshapen_.push_back(str_cat(in_quotes(name), " expected ", to_string(own.dtype()),
                                   to_string(own.shape()), " got ", to_string(given.dtype()),
                                   to_string(given.shape())));
    }
  }

  const std::map<std::string, Tensor>& from_;
  const Parameters& into_;
  const LoadOptions& options_;
  std::set<std::string> replaced_;
  Names missing_, unexpected_, misshapen_;
};

}  // namespace

std::string first_not_finite(const Parameters& parameters) {
  for (const auto& [name, parameter] : parameters)
    if (!all_finite(parameter.value)) return name;
  return "";
}

Tensor to_f32(const Tensor& tensor) {
  if (tensor.dtype() == DType::f32) return tensor.clone();
  Tensor out(tensor.shape());
  float* dst = out.data();
  const auto* half = static_cast<const uint16_t*>(tensor.raw());
  const auto* wide = static_cast<const double*>(tensor.raw());
  for (int64_t i = 0; i < tensor.size(); ++i) {
    if (tensor.dtype() == DType::f16)
      dst[i] = from_f16(half[i]);
    else if (tensor.dtype() == DType::bf16)
      dst[i] = from_bf16(half[i]);
    else if (tensor.dtype() == DType::f64)
      dst[i] = static_cast<float>(wide[i]);
    else
      fail("cannot convert ", to_string(tensor.dtype()), " to F32");
  }
  return out;
}

Tensor to_half(const Tensor& tensor, DType dtype, const std::string& name) {
  require(dtype == DType::f16 || dtype == DType::bf16, "to_half: expected F16 or BF16, got ",
          to_string(dtype));
  Tensor out = Tensor::uninitialised(tensor.shape(), dtype);
  auto* dst = static_cast<uint16_t*>(out.raw());
  const float* src = tensor.data();
  for (int64_t i = 0; i < tensor.size(); ++i) {
    dst[i] = dtype == DType::bf16 ? from_f32<BFloat16>(src[i]).bits : to_f16(src[i]);
    require(dtype == DType::bf16 || !std::isfinite(src[i]) || (dst[i] & 0x7c00) != 0x7c00, name,
            ": holds ", src[i], ", F16 reaches 65504; use bf16");
  }
  return out;
}

LoadReport load_parameters(const std::map<std::string, Tensor>& from, Parameters& into,
                           const LoadOptions& options) {
  Loader loader(from, into, options);
  loader.throw_if_wrong();
  if (options.share) {
    for (const auto& [name, tensor] : loader.accepted) into.adopt(name, tensor);
    if (options.file) into.keep(*options.file);
  } else {
    parallel_for_dynamic(static_cast<int64_t>(loader.accepted.size()), [&](int64_t i) {
      const auto& [name, tensor] = loader.accepted[static_cast<size_t>(i)];
      into.set(name, tensor);
    });
    if (options.file) options.file->require_intact();
  }
  loader.report.loaded = static_cast<int64_t>(loader.accepted.size());
  return std::move(loader.report);
}

}  // namespace limbic::weights
