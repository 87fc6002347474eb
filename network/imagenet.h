#pragma once
#include <string>
#include <vector>

namespace limbic::network {

/// The names of ImageNet's 1,000 classes (ILSVRC 2012) in the order of published checkpoints.
const std::vector<std::string>& imagenet_classes();

}  // namespace limbic::network
