#include "limbic/network/read_batch.h"

#include <algorithm>

#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/network/predictor.h"

namespace limbic::network {

FileBatch read_batch(const std::vector<std::string>& paths, const io::Preset& preset,
                     Unusable unusable) {
  const int64_t n = std::ssize(paths), row = 3 * preset.crop * preset.crop;
  FileBatch out{Tensor(input_shape(n, preset)), std::vector<std::string>(paths.size())};
  float* images = out.images.data();
  parallel_for_dynamic(n, [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    out.reasons[at] = io::reason_to_skip(paths[at], [&] {
      io::preprocess(io::decode_file(paths[at], preset.decode_options()), preset, images + i * row);
    });
  });
  if (unusable == Unusable::keep_row) return out;
  int64_t used = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i);
    require(unusable != Unusable::refuse || out.reasons[at].empty(), paths[at], ": ",
            out.reasons[at]);
    if (!out.reasons[at].empty()) continue;
    if (used != i) std::copy_n(images + i * row, row, images + used * row);
    ++used;
  }
  out.images = out.images.rows(0, used);
  return out;
}

}  // namespace limbic::network
