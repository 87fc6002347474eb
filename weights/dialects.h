#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace limbic::weights {

/// One layer's name as another library has it, and ours. In `from` {a} stands for a number, of
/// which `to` may use {a}, {a+1} or {a-1}; a `from` that ends in ".*" is the beginning of a name
/// and stands at its front, any other is the end of one, the parameter ("weight") apart.
struct NameRule {
  const char *from, *to;
  /// A linear layer's columns count (H,W,C), as Keras flattens, of this many pixels; 0: as torch.
  int pixels = 0;
};

/// How a library names the layers of a family of networks: data, from its documentation or source.
struct Dialect {
  const char* library;
  const char* family;  ///< Networks whose name begins so: "resnet"; of several, parted by spaces.
  std::vector<NameRule> rules;
};

const std::vector<Dialect>& dialects();
/// Whether it is of a network of this name.
bool speaks_of(const Dialect& dialect, const std::string& model);

/// `name` under our names; unchanged where no rule knows it. `pixels` gets the rule's.
std::string renamed(const Dialect& dialect, const std::string& name, int& pixels);

}  // namespace limbic::weights
