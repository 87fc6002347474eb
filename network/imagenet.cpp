#include "limbic/network/imagenet.h"

namespace limbic::network {

const std::vector<std::string>& imagenet_classes() {
  static const std::vector<std::string> names = {
#include "limbic/network/imagenet_classes.inc"
  };
  return names;
}

}  // namespace limbic::network
