#pragma once
// A training small enough for a test: three kinds of patterns of 16 x 16 pixels.
#include <cstring>

#include "limbic/train/trainer.h"
#include "limbic/weights/safetensors.h"
#include "tests/io/pictures.h"

namespace limbic::testing {

// Stripes across, stripes down, a disc; each colour and place at random.
inline io::Picture pattern(int64_t label, Random& random) {
  constexpr int64_t size = 16;
  io::Picture picture(size, size);
  const int64_t phase = random.below(4), cx = 4 + random.below(8), cy = 4 + random.below(8);
  const int64_t colour = random.below(3);
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      const bool stripe = ((label == 0 ? y : x) + phase) / 2 % 2 == 0;
      const bool disc = (x - cx) * (x - cx) + (y - cy) * (y - cy) < 16;
      if (label == 2 ? disc : stripe) picture.row(y)[3 * x + colour] = 220;
    }
  return picture;
}

struct Pictures {
  TemporaryFolder folder;
  train::TrainData data;

  explicit Pictures(int64_t per_class = 16) {
    const std::vector<std::string> classes = {"across", "disc", "down"};
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < per_class; ++i) {
        Random random(static_cast<uint64_t>(c), static_cast<uint64_t>(i));
        const int64_t kind = c == 0 ? 0 : c == 1 ? 2 : 1;
        write_png(
            folder / ("set/" + classes[static_cast<size_t>(c)] + "/" + std::to_string(i) + ".png"),
            pattern(kind, random));
      }
    io::Split parts = io::split(io::list_folders(folder / "set"), 0.75, 1);
    data = {std::move(parts.train), std::move(parts.held_out),
            io::with_image_size(io::find_preset("cifar"), 16), std::nullopt};
  }
};

inline train::TrainOptions quick(int64_t epochs) {
  train::TrainOptions o;
  o.epochs = epochs;
  o.batch_size = 6;
  o.learning_rate = 0.05;
  return o;
}

inline bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

// The first name whose bits differ; "" where all are equal.
inline std::string first_difference(const Parameters& a, const Parameters& b) {
  for (const auto& [name, p] : a)
    if (!equal_bits(p.value, b.at(name).value)) return name;
  return "";
}

inline std::string first_difference(const std::string& path, const std::string& other) {
  const auto a = weights::read_safetensors(path).tensors,
             b = weights::read_safetensors(other).tensors;
  if (a.size() != b.size()) return "number of tensors";
  for (const auto& [name, tensor] : a)
    if (!b.count(name) || !equal_bits(tensor, b.at(name))) return name;
  return "";
}

struct Killed {};  // no std::exception: nothing of ours may catch it

// Stops the training at its n-th report of an epoch, counted from 1.
inline ProgressFunction kill_at(int64_t n) {
  return [n, seen = int64_t{0}](const Progress& p) mutable {
    if (p.task.starts_with("epoch") && ++seen == n) throw Killed{};
  };
}

}  // namespace limbic::testing
