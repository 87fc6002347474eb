#pragma once
#include "array.h"

// Pooling: (N,C,H,W) -> (N,C,OH,OW), each channel alone. Each backward takes src and dy, the
// gradient of dst, and gives the gradient of src. All throw std::invalid_argument where shapes or
// options do not fit.
namespace limbic::reference {

struct Pool2dOptions {
  Size2 kernel_size = 2;
  Size2 stride = 2;
  Padding padding = 0;            ///< At most half the kernel.
  bool ceil_mode = false;         ///< Output sizes round up; a window may hang over the end.
  bool count_include_pad = true;  ///< Average: padding counts in the divisor, as in PyTorch.
  bool zero_padding = false;      ///< Maximum: padding counts as pixels of 0, as Keras pads.
};

/// dst(n,c,y,x) = the largest pixel of window (y,x), which begins at (y*sh - top, x*sw - left);
/// padding is no pixel, unless zero_padding, and NaN is larger than all.
/// OH = floor or ceil((H + top + bottom - kh) / sh) + 1; in ceil mode the last window is dropped if
/// it would start beyond the picture and the padding before it.
Array max_pool2d(const Array& src, const Pool2dOptions& o);
/// dy goes to the largest pixel of its window: to the first of equals, to the (last) NaN, or
/// nowhere where a padding is larger.
Array max_pool2d_backward(const Array& src, const Pool2dOptions& o, const Array& dy);

/// dst = the sum of the window's pixels over how many there are; with count_include_pad the padding
/// counts among them. What hangs over the padding, too, counts nowhere. Sizes as max_pool2d's.
Array avg_pool2d(const Array& src, const Pool2dOptions& o);
/// Each pixel of a window takes dy over the window's divisor.
Array avg_pool2d_backward(const Array& src, const Pool2dOptions& o, const Array& dy);

/// The mean over each of output.h x output.w windows that cover the picture, whatever its size:
/// window i spans [floor(i H / OH), ceil((i+1) H / OH)).
Array adaptive_avg_pool2d(const Array& src, Size2 output);
/// Each pixel of a window takes dy over the window's pixels.
Array adaptive_avg_pool2d_backward(const Array& src, Size2 output, const Array& dy);

/// The mean over H and W: (N,C,H,W) -> (N,C).
Array global_avg_pool(const Array& src);
/// dy (N,C): each pixel takes dy / (H W).
Array global_avg_pool_backward(const Array& src, const Array& dy);

/// body(y, x) for each pixel of src in window (oy, ox); returns how many places the window has with
/// the padding.
template <class Body>
int64_t for_window(const Array& src, const Pool2dOptions& o, int64_t oy, int64_t ox,
                   const Body& body) {
  int64_t places = 0;
  for (int64_t u = 0; u < o.kernel_size.h; ++u)
    for (int64_t v = 0; v < o.kernel_size.w; ++v) {
      const int64_t y = oy * o.stride.h - o.padding.top + u;
      const int64_t x = ox * o.stride.w - o.padding.left + v;
      if (y >= src.shape[2] + o.padding.bottom || x >= src.shape[3] + o.padding.right) continue;
      ++places;
      if (y >= 0 && x >= 0 && y < src.shape[2] && x < src.shape[3]) body(y, x);
    }
  return places;
}

}  // namespace limbic::reference
