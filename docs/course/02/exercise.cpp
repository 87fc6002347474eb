#include "exercise.h"

namespace limbic::course {

int64_t output_size(int64_t size, const Window& window) {
  not_solved(size, window);  // exercise 1: your code in place of this line
}

Array conv2d(const Array& src, const Array& weight, const Window& window) {
  not_solved(src, weight, window);  // exercise 2
}

int64_t receptive_field(std::span<const Window> layers) {
  not_solved(layers);  // exercise 3
}

}  // namespace limbic::course
