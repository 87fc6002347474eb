#pragma once
#include "limbic/baselines/grey.h"

namespace limbic::baselines {

struct GistOptions {
  int64_t size = 128;  ///< Side of the square picture, a power of two.
  int64_t scales = 4, orientations = 8;
  int64_t grid = 4;  ///< Windows along either side; divides the size.
};

/// The gist of a scene (Oliva and Torralba 2001): Gabor filters of the picture after its local
/// contrast has been evened out, the mean modulus of each in each window of a grid. image
/// (size,size) -> scales * orientations * grid^2 values, filter by filter, 512 by default. The
/// filters are those of LMgist.m as we remember them; its padded border is left out: pictures wrap
/// around. Throws Error for another size.
std::vector<float> gist(const Grey& image, const GistOptions& options = {});

/// Transfer function of a filter (size,size), row and column 0 the frequency 0.
std::vector<double> gist_filter(const GistOptions& options, int64_t scale, int64_t orientation);
/// log(1 + v) less its low frequencies, divided by 0.2 + its local deviation: (size,size).
std::vector<double> even_contrast(const Grey& image);

}  // namespace limbic::baselines
