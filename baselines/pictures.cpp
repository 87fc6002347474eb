#include "limbic/baselines/pictures.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/io/resize.h"

namespace limbic::baselines {

io::Picture read_picture(const std::string& path, int64_t longest) {
  io::Picture picture = io::decode_file(path);
  const int64_t side = std::max(picture.height, picture.width);
  if (longest <= 0 || side <= longest) return picture;
  return io::resize(picture, {.height = std::max<int64_t>(1, picture.height * longest / side),
                              .width = std::max<int64_t>(1, picture.width * longest / side)});
}

std::vector<int64_t> for_each_picture(
    const io::Dataset& data, int64_t longest, const char* task, const ProgressFunction& progress,
    const std::function<void(size_t sample, const io::Picture& picture)>& use) {
  const int64_t n = data.size();
  std::vector<int8_t> readable(static_cast<size_t>(n));
  // A slice at a time, so that progress is told, and may stop the work, on the caller's thread.
  const int64_t slice = 256;
  for (int64_t begin = 0; begin < n; begin += slice) {
    const int64_t end = std::min(n, begin + slice);
    parallel_for_dynamic(end - begin, [&](int64_t i) {
      const auto sample = static_cast<size_t>(begin + i);
      io::Picture picture;
      const std::string& path = data.samples[sample].path;
      if (!io::reason_to_skip(path, [&] { picture = read_picture(path, longest); }).empty()) return;
      use(sample, picture);
      readable[sample] = 1;
    });
    if (progress) progress({.task = task, .done = end, .total = n, .unit = "img", .note = {}});
  }
  std::vector<int64_t> out;
  for (int64_t i = 0; i < n; ++i)
    if (readable[static_cast<size_t>(i)]) out.push_back(i);
  return out;
}

Features extract(const io::Dataset& data, int64_t longest, const FeatureFunction& features,
                 const ProgressFunction& progress) {
  std::vector<std::vector<float>> rows(data.samples.size());
  Features out;
  out.indices = for_each_picture(
      data, longest, "extracting features", progress,
      [&](size_t sample, const io::Picture& picture) { rows[sample] = features(picture); });
  if (out.indices.empty()) return out;
  const int64_t d = std::ssize(rows[static_cast<size_t>(out.indices[0])]);
  out.x = Tensor({std::ssize(out.indices), d});
  for (size_t i = 0; i < out.indices.size(); ++i) {
    std::vector<float>& row = rows[static_cast<size_t>(out.indices[i])];
    std::copy(row.begin(), row.end(), out.x.data() + static_cast<int64_t>(i) * d);
    row = {};
    out.labels.push_back(data.samples[static_cast<size_t>(out.indices[i])].label);
  }
  return out;
}

std::vector<int64_t> spread(const std::vector<int64_t>& labels, const std::vector<int64_t>& indices,
                            int64_t samples) {
  std::vector<int64_t> out(static_cast<size_t>(samples), -1);
  for (size_t i = 0; i < indices.size(); ++i) out[static_cast<size_t>(indices[i])] = labels[i];
  return out;
}

Tensor stack_rows(const Tensor& a, const Tensor& b) {
  if (b.empty()) return a;
  Tensor out({a.dim(0) + b.dim(0), a.dim(1)});
  std::copy_n(a.data(), a.size(), out.data());
  std::copy_n(b.data(), b.size(), out.data() + a.size());
  return out;
}

void require_two_classes(const std::vector<int64_t>& labels, const io::Dataset& data) {
  require(!labels.empty(), "not one of the ", data.size(), " pictures to learn from can be read");
  require(std::set<int64_t>(labels.begin(), labels.end()).size() >= 2,
          "only pictures of one class ('", data.classes.at(static_cast<size_t>(labels[0])),
          "') could be used; two are needed");
}

}  // namespace limbic::baselines
