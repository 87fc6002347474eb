#include "limbic/weights/match.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "limbic/weights/dialects.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

using Tensors = std::map<std::string, Tensor>;

bool is_counter(const std::string& name) {
  for (const char* ending : {"num_batches_tracked", "total_ops", "total_params", "n_averaged"})
    if (name == ending || name.ends_with(std::string(".") + ending)) return true;
  return false;
}

// MXNet's "resnetv24_stage1_batchnorm0_gamma" as "resnetv24.stage1.batchnorm0.weight".
std::string dotted(const std::string& name) {
  if (name.find('.') != name.npos) return name;
  constexpr std::pair<std::string_view, const char*> ends[] = {{"_running_mean", ".running_mean"},
                                                               {"_running_var", ".running_var"},
                                                               {"_gamma", ".weight"},
                                                               {"_beta", ".bias"},
                                                               {"_weight", ".weight"},
                                                               {"_bias", ".bias"}};
  for (const auto& [theirs, ours] : ends)
    if (name.ends_with(theirs)) {
      std::string layer = name.substr(0, name.size() - theirs.size());
      std::replace(layer.begin(), layer.end(), '_', '.');
      return layer + ours;
    }
  return name;
}

// Without the modules that wrappers put between: DataParallel, torch.compile, FSDP, checkpointing.
std::string unwrapped(const std::string& name) {
  std::string out;
  for (size_t at = 0; at <= name.size();) {
    const size_t dot = std::min(name.find('.', at), name.size());
    const std::string part = name.substr(at, dot - at);
    const bool wrapper = part == "module" || part == "_orig_mod" ||
                         part == "_fsdp_wrapped_module" || part == "_checkpoint_wrapped_module";
    if (!wrapper) out += (out.empty() ? "" : ".") + part;
    at = dot + 1;
  }
  return out;
}

// weight_orig * weight_mask, as torch.nn.utils.prune leaves them.
Tensor pruned(const Tensor& value, const Tensor& mask) {
  Tensor out = value.clone();
  if (value.dtype() != DType::f32 || mask.dtype() != DType::f32 || mask.shape() != value.shape())
    return out;
  for (int64_t i = 0; i < out.size(); ++i) out.data()[i] *= mask.data()[i];
  return out;
}

// The file's tensors under names without wrappers, counters left out, pruning applied.
Tensors plain(const Tensors& file, std::vector<std::string>& remarks) {
  Tensors out;
  int64_t masks = 0;
  for (const auto& [name, tensor] : file) {
    if (is_counter(name)) continue;
    std::string own = unwrapped(dotted(name));
    if (own.ends_with("_mask") && file.contains(name.substr(0, name.size() - 5) + "_orig"))
      continue;
    Tensor value = tensor;
    if (own.ends_with("_orig")) {
      const auto mask = file.find(name.substr(0, name.size() - 5) + "_mask");
      if (mask != file.end()) {
        value = pruned(tensor, mask->second);
        own.resize(own.size() - 5);
        ++masks;
      }
    }
    if (own.empty() || !out.emplace(own, value).second) out.emplace(name, value);
  }
  if (masks > 0) remarks.push_back(str_cat("pruning: ", masks, " masks are applied"));
  return out;
}

// (out, H*W*C) -> (out, C*H*W).
Tensor channels_first(const Tensor& tensor, int64_t pixels) {
  const int64_t rows = tensor.dim(0), columns = tensor.dim(1), channels = columns / pixels;
  if (tensor.dtype() != DType::f32 || channels * pixels != columns) return tensor;
  Tensor out = Tensor::uninitialised(tensor.shape());
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = 0; c < channels; ++c)
        out.data()[row * columns + c * pixels + p] =
            tensor.data()[row * columns + p * channels + c];
  return out;
}

struct Candidate {
  std::map<std::string, std::pair<std::string, int>> ours;  // of a name in the file; pixels
  std::string prefix, library;
  int64_t matched = 0;
  std::vector<std::string> prefixes;  // with as many matches
};

class Matcher {
 public:
  explicit Matcher(const NetworkNames& network) : network_(network) {
    for (const auto& [name, shape] : network.shapes)
      if (!is_of_head(name) && !is_counter(name)) backbone_.emplace_back(name, shape);
  }

  Matching match(const Tensors& file) {
    Matching out;
    const Tensors tensors = plain(file, out.remarks);
    const Candidate best = best_of(tensors);
    out.prefixes = best.prefixes;
    std::set<std::string> used;
    std::map<std::string, std::string> theirs;
    for (const auto& [name, own] : best.ours) theirs[own.first] = name;
    for (const auto& [name, shape] : backbone_) {
      const auto found = theirs.find(best.prefix + name);
      if (found == theirs.end()) {
        out.missing.push_back(in_quotes(name));
        continue;
      }
      used.insert(found->second);
      Tensor tensor = tensors.at(found->second);
      if (const int pixels = best.ours.at(found->second).second; pixels > 0 && tensor.rank() == 2)
        tensor = channels_first(tensor, pixels);
      if (tensor.shape() != shape && tensor.rank() != std::ssize(shape) &&
          count(shape) == tensor.size())
        tensor = tensor.reshape(shape);
      if (tensor.shape() != shape)
        out.misshapen.push_back(str_cat(in_quotes(found->second), " expected ", to_string(shape),
                                        " got ", to_string(tensor.shape())));
      else
        ++out.matched;
      out.tensors[name] = tensor;
    }
    Tensors rest;
    for (const auto& [name, tensor] : tensors)
      if (!used.contains(name)) rest[name] = tensor;
    find_head(rest, best, out);
    sort_rest(rest, best, out);
    if (!best.library.empty()) out.remarks.push_back("names: those of " + best.library);
    if (!best.prefix.empty() && out.matched > 0)
      out.remarks.push_back("names: without their beginning " + in_quotes(best.prefix));
    return out;
  }

 private:
  bool is_of_head(const std::string& name) const {
    return name.starts_with(network_.classifier + ".");
  }

  // How many of the network's names there are behind the prefix that most of them have.
  void count_matches(Candidate& c) const {
    std::set<std::string> names;
    for (const auto& [name, own] : c.ours) names.insert(own.first);
    std::set<std::string> prefixes = {""};
    for (size_t probe = 0; probe < std::min<size_t>(backbone_.size(), 3); ++probe) {
      const std::string& wanted = backbone_[probe * (backbone_.size() - 1) / 2].first;
      for (const std::string& name : names)
        if (name.ends_with("." + wanted) && prefixes.size() < 16)
          prefixes.insert(name.substr(0, name.size() - wanted.size()));
    }
    for (const std::string& prefix : prefixes) {
      int64_t matched = 0;
      for (const auto& [name, shape] : backbone_) matched += names.contains(prefix + name);
      if (matched == 0 || matched < c.matched) continue;
      if (matched > c.matched) c.prefixes.clear();
      c.prefixes.push_back(prefix);
      c.matched = matched;
    }
    if (c.prefixes.empty()) return;
    c.prefix = c.prefixes[0];
    if (network_.state.empty()) return;
    for (const std::string& prefix : c.prefixes)
      if (prefix == network_.state + "." || prefix.ends_with("." + network_.state + ".")) {
        c.prefix = prefix;
        c.prefixes = {prefix};
      }
  }

  Candidate best_of(const Tensors& tensors) const {
    Candidate best;
    for (const auto& [name, tensor] : tensors) best.ours[name] = {name, 0};
    count_matches(best);
    if (best.matched == std::ssize(backbone_)) return best;
    std::set<std::string> fronts = {""};  // before names that rules know by their beginning
    for (const auto& [name, tensor] : tensors)
      if (fronts.size() < 16) fronts.insert(name.substr(0, name.find('.') + 1));
    for (const Dialect& dialect : dialects()) {
      if (!speaks_of(dialect, network_.model)) continue;
      for (const std::string& front : fronts) {
        Candidate c;
        c.library = dialect.library;
        for (const auto& [name, tensor] : tensors) {
          int pixels = 0;
          const std::string own = name.starts_with(front) && name.size() > front.size()
                                      ? renamed(dialect, name.substr(front.size()), pixels)
                                      : name;
          c.ours[name] = {own, pixels};
        }
        count_matches(c);
        if (c.matched > best.matched) best = std::move(c);
      }
    }
    return best;
  }

  // "classifier.10" behind "classifier.9".
  static bool before(const std::string& a, const std::string& b) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    for (size_t i = 0, j = 0; i < a.size() && j < b.size(); ++i, ++j) {
      if (digit(a[i]) && digit(b[j])) {
        const size_t from_a = i, from_b = j;
        while (i < a.size() && digit(a[i])) ++i;
        while (j < b.size() && digit(b[j])) ++j;
        if (i - from_a != j - from_b) return i - from_a < j - from_b;
        if (const int order = a.compare(from_a, i - from_a, b, from_b, j - from_b); order != 0)
          return order < 0;
        --i, --j;
      } else if (a[i] != b[j]) {
        return a[i] < b[j];
      }
    }
    return a.size() < b.size();
  }

  // Linear layers, each of which takes what the one before gives.
  void find_head(Tensors& rest, const Candidate& best, Matching& out) const {
    const auto own = [&](const std::string& name) { return best.ours.at(name).first; };
    const std::string known = best.prefix + network_.classifier + ".weight";
    const auto expected = network_.shapes.find(network_.classifier + ".weight");
    const bool convolves = expected != network_.shapes.end() && expected->second.size() == 4;
    std::vector<std::string> layers;
    for (const auto& [name, tensor] : rest) {
      const bool weight = name.ends_with(".weight") || name == "weight";
      const bool square = tensor.rank() == 4 && tensor.dim(2) == 1 && tensor.dim(3) == 1 &&
                          (convolves || own(name) == known);
      if (weight && (tensor.rank() == 2 || square)) layers.push_back(name);
    }
    std::sort(layers.begin(), layers.end(), [&](const std::string& a, const std::string& b) {
      const bool known_a = own(a) == known, known_b = own(b) == known;
      return known_a != known_b ? known_a : before(a, b);
    });
    int64_t width = network_.features;
    for (const std::string& name : layers) {
      Tensor weight = rest.at(name);
      if (weight.dim(1) != width || weight.dim(0) == 0) continue;
      if (weight.rank() == 4 && !convolves) weight = weight.reshape({weight.dim(0), width});
      const std::string layer = name.substr(0, name.size() - std::string("weight").size());
      HeadLayer head{weight, {}, layer, false};
      if (const auto bias = rest.find(layer + "bias");
          bias != rest.end() && bias->second.shape() == Shape{weight.dim(0)}) {
        head.bias = bias->second;
        rest.erase(bias);
      }
      rest.erase(name);
      width = weight.dim(0);
      out.head.push_back(std::move(head));
    }
    for (size_t i = 0; i + 1 < out.head.size(); ++i)
      out.head[i].activated =
          last_number(out.head[i + 1].name) - last_number(out.head[i].name) != 1;
  }

  static int64_t last_number(const std::string& layer) {  // "fc.3." -> 3
    int64_t out = 0, factor = 1;
    for (size_t i = layer.size(); i-- > 0;) {
      if (layer[i] == '.' && factor == 1) continue;
      if (layer[i] < '0' || layer[i] > '9' || factor > 100000) break;
      out += factor * (layer[i] - '0');
      factor *= 10;
    }
    return factor == 1 ? -1 : out;
  }

  // What is left: beside the network it may be anything, within its names it is another network's.
  void sort_rest(const Tensors& rest, const Candidate& best, Matching& out) const {
    std::set<std::string> own_parts;
    for (const auto& [name, shape] : network_.shapes)
      own_parts.insert(name.substr(0, name.find('.')));
    std::vector<std::string> beside;
    for (const auto& [name, tensor] : rest) {
      const std::string& own = best.ours.at(name).first;
      const bool behind = own.starts_with(best.prefix);
      const std::string after = behind ? own.substr(best.prefix.size()) : own,
                        part = after.substr(0, after.find('.'));
      if (behind && !network_.partial && (best.prefix.empty() || own_parts.contains(part)) &&
          (own_parts.contains(part) || !is_beside(part)))
        out.unexpected.push_back(in_quotes(name));
      else
        beside.push_back(in_quotes(name));
    }
    if (beside.empty()) return;
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(3, beside.size()); ++i)
      names += (i ? ", " : "") + beside[i];
    out.remarks.push_back(str_cat(beside.size(), beside.size() == 1 ? " tensor" : " tensors",
                                  " beside the network left out (", names,
                                  beside.size() > 3 ? " ...)" : ")"));
  }

  // What training scripts keep beside a network.
  static bool is_beside(const std::string& part) {
    for (const char* known : {"criterion", "loss", "loss_fn", "best_acc", "epoch", "mean", "std",
                              "AuxLogits", "aux", "ema", "teacher", "queue", "queue_ptr"})
      if (part.starts_with(known)) return true;
    return false;
  }

  const NetworkNames& network_;
  std::vector<std::pair<std::string, Shape>> backbone_;
};

}  // namespace

Matching match_names(const std::map<std::string, Tensor>& file, const NetworkNames& network) {
  return Matcher(network).match(file);
}

}  // namespace limbic::weights
