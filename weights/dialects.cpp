#include "limbic/weights/dialects.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "limbic/core/error.h"

namespace limbic::weights {
namespace {

using Numbers = std::map<char, int64_t>;

std::vector<std::string_view> parts_of(std::string_view name) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t dot = name.find('.');
    out.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    name.remove_prefix(dot + 1);
  }
}

std::optional<int64_t> number_of(std::string_view text) {
  if (text.empty() || text.size() > 6 ||
      !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }))
    return {};
  int64_t out = 0;
  for (char c : text) out = 10 * out + (c - '0');
  return out;
}

// "layer{a}" against "layer3": the text before and behind the number is the pattern's.
bool matches(std::string_view pattern, std::string_view part, Numbers& numbers) {
  const size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == part;
  const std::string_view head = pattern.substr(0, open), tail = pattern.substr(open + 3);
  if (part.size() < head.size() + tail.size() || !part.starts_with(head) || !part.ends_with(tail))
    return false;
  const auto number = number_of(part.substr(head.size(), part.size() - head.size() - tail.size()));
  if (!number) return false;
  numbers[pattern[open + 1]] = *number;
  return true;
}

std::string filled_in(std::string_view to, const Numbers& numbers) {
  std::string out;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] != '{') {
      out += to[i];
      continue;
    }
    int64_t value = numbers.at(to[i + 1]);
    if (to[i + 2] == '+') value += to[i + 3] - '0';
    if (to[i + 2] == '-') value -= to[i + 3] - '0';
    out += std::to_string(value);
    i = to.find('}', i);
  }
  return out;
}

std::string joined(const std::vector<std::string_view>& parts, size_t begin, size_t end) {
  std::string out;
  for (size_t i = begin; i < end; ++i) out += (i > begin ? "." : "") + std::string(parts[i]);
  return out;
}

std::optional<std::string> apply(const NameRule& rule, const std::vector<std::string_view>& name) {
  auto pattern = parts_of(rule.from);
  Numbers numbers;
  if (pattern.back() == "*") {
    pattern.pop_back();
    if (name.size() <= pattern.size()) return {};
    for (size_t i = 0; i < pattern.size(); ++i)
      if (!matches(pattern[i], name[i], numbers)) return {};
    return filled_in(rule.to, numbers) + "." + joined(name, pattern.size(), name.size());
  }
  if (name.size() <= pattern.size()) return {};
  const size_t begin = name.size() - 1 - pattern.size();
  for (size_t i = 0; i < pattern.size(); ++i)
    if (!matches(pattern[i], name[begin + i], numbers)) return {};
  const std::string before = joined(name, 0, begin);
  return (before.empty() ? "" : before + ".") + filled_in(rule.to, numbers) + "." +
         std::string(name.back());
}

// Keras' VGG: convolution b of block a.
std::vector<NameRule> keras_vgg(const std::vector<int>& convolutions) {
  static std::vector<std::string> kept;  // what the rules' texts are
  kept.reserve(256);
  std::vector<NameRule> out = {
      {"fc1", "classifier.0", 49}, {"fc2", "classifier.3"}, {"predictions", "classifier.6"}};
  int layer = 0;
  for (size_t block = 0; block < convolutions.size(); ++block, ++layer)
    for (int i = 0; i < convolutions[block]; ++i, layer += 2) {
      const std::string& from = kept.emplace_back(str_cat("block", block + 1, "_conv", i + 1));
      out.push_back({from.c_str(), kept.emplace_back(str_cat("features.", layer)).c_str()});
    }
  return out;
}

// timm's mobilenetv2_100: block b of stage a is torchvision's features.N.
std::vector<NameRule> timm_mobilenet_v2() {
  static std::vector<std::string> kept;
  kept.reserve(512);
  std::vector<NameRule> out = {{"conv_stem", "features.0.0"},
                               {"conv_head", "features.18.0"},
                               {"blocks.0.0.conv_dw", "features.1.conv.0.0"},
                               {"blocks.0.0.bn1", "features.1.conv.0.1"},
                               {"blocks.0.0.conv_pw", "features.1.conv.1"},
                               {"blocks.0.0.bn2", "features.1.conv.2"}};
  constexpr int blocks[] = {1, 2, 3, 4, 3, 3, 1};
  constexpr std::pair<const char*, const char*> layers[] = {{"conv_pw", "0.0"}, {"bn1", "0.1"},
                                                            {"conv_dw", "1.0"}, {"bn2", "1.1"},
                                                            {"conv_pwl", "2"},  {"bn3", "3"}};
  int number = 2;
  for (int stage = 1; stage < 7; ++stage)
    for (int block = 0; block < blocks[stage]; ++block, ++number)
      for (const auto& [theirs, ours] : layers) {
        const std::string& from =
            kept.emplace_back(str_cat("blocks.", stage, ".", block, ".", theirs));
        out.push_back({from.c_str(),
                       kept.emplace_back(str_cat("features.", number, ".conv.", ours)).c_str()});
      }
  // Of the stem and the head, whose names are the blocks' too.
  out.push_back({"bn1", "features.0.1"});
  out.push_back({"bn2", "features.18.1"});
  out.push_back({"classifier", "classifier.1"});
  return out;
}

}  // namespace

const std::vector<Dialect>& dialects() {
  static const std::vector<Dialect> all = {
      {"Hugging Face's transformers",
       "resnet",
       {{"embedder.embedder.convolution", "conv1"},
        {"embedder.embedder.normalization", "bn1"},
        {"encoder.stages.{a}.layers.{b}.layer.{c}.convolution", "layer{a+1}.{b}.conv{c+1}"},
        {"encoder.stages.{a}.layers.{b}.layer.{c}.normalization", "layer{a+1}.{b}.bn{c+1}"},
        {"encoder.stages.{a}.layers.{b}.shortcut.convolution", "layer{a+1}.{b}.downsample.0"},
        {"encoder.stages.{a}.layers.{b}.shortcut.normalization", "layer{a+1}.{b}.downsample.1"},
        {"classifier.1", "fc"}}},
      {"Sequential(*model.children())",
       "resnet resnext wide_resnet",
       {{"0.*", "conv1"},
        {"1.*", "bn1"},
        {"4.*", "layer1"},
        {"5.*", "layer2"},
        {"6.*", "layer3"},
        {"7.*", "layer4"},
        {"9.*", "fc"},
        {"10.*", "fc"}}},
      {"Sequential(*model.children())",
       "densenet vgg alexnet squeezenet mobilenet_v2",
       {{"0.*", "features"}, {"1.*", "classifier"}, {"2.*", "classifier"}}},
      {"PyTorch before 0.4",
       "densenet",
       {{"denseblock{a}.denselayer{b}.norm.{c}", "denseblock{a}.denselayer{b}.norm{c}"},
        {"denseblock{a}.denselayer{b}.conv.{c}", "denseblock{a}.denselayer{b}.conv{c}"}}},
      {"kuangliu's pytorch-cifar",
       "resnet cifar_resnet",
       {{"layer{a}.{b}.shortcut.{c}", "layer{a}.{b}.downsample.{c}"}, {"linear", "fc"}}},
      {"jcjohnson's and torchvision's first",
       "vgg",
       {{"classifier.1", "classifier.0"}, {"classifier.4", "classifier.3"}}},
      {"timm",
       "vgg",
       {{"pre_logits.fc1", "classifier.0"},
        {"pre_logits.fc2", "classifier.3"},
        {"head.fc", "classifier.6"}}},
      {"timm", "mobilenet_v2", timm_mobilenet_v2()},
      {"Keras", "vgg16", keras_vgg({2, 2, 3, 3, 3})},
      {"Keras", "keras_vgg16", keras_vgg({2, 2, 3, 3, 3})},
      {"Keras", "vgg19", keras_vgg({2, 2, 4, 4, 4})},
      {"Keras", "keras_vgg19", keras_vgg({2, 2, 4, 4, 4})},
      {"the first Keras",
       "keras_resnet",
       {{"bn_conv1", "conv1_bn"}, {"conv1", "conv1_conv"}, {"fc1000", "predictions"}}},
  };
  return all;
}

bool speaks_of(const Dialect& dialect, const std::string& model) {
  std::string_view families = dialect.family;
  while (!families.empty()) {
    const std::string_view one = families.substr(0, families.find(' '));
    if (model.starts_with(one)) return true;
    families.remove_prefix(std::min(families.size(), one.size() + 1));
  }
  return false;
}

std::string renamed(const Dialect& dialect, const std::string& name, int& pixels) {
  const auto parts = parts_of(name);
  for (const NameRule& rule : dialect.rules)
    if (auto out = apply(rule, parts)) {
      pixels = rule.pixels;
      return std::move(*out);
    }
  return name;
}

}  // namespace limbic::weights
