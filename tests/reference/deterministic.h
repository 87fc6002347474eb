#pragma once
#include <cmath>
#include <string>

#include "limbic/core/parameters.h"
#include "limbic/core/random.h"

namespace limbic {

/// The twin of tests/goldens/deterministic.py: element i of tensor `name` is
/// 2 * (splitmix64(fnv1a(name) + i) >> 40) / 2^24 - 1.
inline double golden_uniform(uint64_t name_hash, uint64_t i) {
  uint64_t z = name_hash + i + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) / (1 << 23) - 1;
}

inline Tensor golden_input(Shape shape) {
  Tensor out(std::move(shape));
  for (int64_t i = 0; i < out.size(); ++i)
    out.data()[i] =
        static_cast<float>(1.7 * golden_uniform(hash_name("input"), static_cast<uint64_t>(i)));
  return out;
}

/// Overwrites parameters of a graph with the golden ones.
inline void golden_parameters(Parameters& parameters) {
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.trainable) continue;
    Tensor t = parameter.value.clone();
    const Shape& shape = t.shape();
    const double fan_in = shape.size() > 1 ? static_cast<double>(t.size() / shape[0]) : 1;
    const uint64_t hash = hash_name(name.c_str());
    for (int64_t i = 0; i < t.size(); ++i) {
      const double u = golden_uniform(hash, static_cast<uint64_t>(i));
      double value = 0.5 * u;
      if (shape.size() > 1)
        value = u * std::sqrt(6 / fan_in);
      else if (name.ends_with("weight"))
        value = 0.3 + 0.1 * u;
      t.data()[i] = static_cast<float>(value);
    }
    parameters.set(name, t);
  }
}

}  // namespace limbic
