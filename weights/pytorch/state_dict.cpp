#include "limbic/weights/pytorch/state_dict.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

using Kind = PickleValue::Kind;

// Where training scripts put a state dict, the likeliest first.
constexpr const char* wrappers[] = {
    "state_dict", "model_state_dict", "model_state",    "model",          "net",    "network",
    "ema",        "model_ema",        "ema_state_dict", "state_dict_ema", "params", "weights"};
constexpr int max_wrappers = 4;
constexpr size_t max_name = 512;
constexpr size_t looked_at = 1000;     // entries, to explain what a file holds
constexpr uint64_t entry_bytes = 400;  // of a map's node, a name and a tensor that is a view

// Finds the dictionary of tensors in a checkpoint.
class Finder {
 public:
  Finder(const Pickle& pickle, const TensorRebuilder& rebuilder, const std::string& path)
      : pickle_(pickle), rebuilder_(rebuilder), path_(path) {}

  PickleValue find() {
    PickleValue at = pickle_.root();
    for (int depth = 0; depth < max_wrappers; ++depth) {
      if (const PickleValue* inner = wrapped(at)) return *inner;
      if (has_tensors(at)) return at;
      const PickleValue* next = outer_wrapper(at);
      if (next == nullptr) return only_dict(at);
      at = *next;
    }
    explain(at);
  }

 private:
  // Whether one of a dictionary's own values is a tensor. Each dictionary is looked through once,
  // since a file may name one very often.
  bool has_tensors(PickleValue dict) {
    if (dict.kind != Kind::dict || !pickle_.holds_persistent(dict)) return false;
    const auto [known, fresh] = has_tensors_.try_emplace(dict.at, false);
    if (!fresh) return known->second;
    const auto items = pickle_.items(dict);
    for (size_t i = 1; i < items.size() && !known->second; i += 2)
      known->second = rebuilder_.is_tensor(items[i]);
    return known->second;
  }

  const PickleValue* wrapped(PickleValue dict) {
    for (const char* name : wrappers)
      if (const PickleValue* value = pickle_.find(dict, name); value && has_tensors(*value))
        return value;
    return nullptr;
  }

  // A wrapper around a wrapper.
  const PickleValue* outer_wrapper(PickleValue dict) const {
    for (const char* name : wrappers)
      if (const PickleValue* value = pickle_.find(dict, name);
          value && value->kind == Kind::dict && pickle_.holds_persistent(*value))
        return value;
    return nullptr;
  }

  PickleValue only_dict(PickleValue dict) {
    std::vector<PickleValue> found;
    std::string names;
    const auto items = pickle_.items(dict);
    for (size_t i = 0; dict.kind == Kind::dict && found.size() < 8 && i < items.size(); i += 2) {
      if (!has_tensors(items[i + 1])) continue;
      found.push_back(items[i + 1]);
      names += (names.empty() ? "" : ", ") + in_quotes(pickle_.text(items[i]));
    }
    require(found.size() < 2, path_, ": holds several state dicts (", names,
            "); in PyTorch, save the one that is wanted alone");
    if (found.empty()) explain(dict);
    return found[0];
  }

  // What `torch.save(model)` writes: an instance with the attributes of torch.nn.Module.
  bool is_module(PickleValue value) const {
    const auto items = pickle_.items(value);
    return value.kind == Kind::object && items.size() > 2 &&
           pickle_.items(items[2]).size() < 2 * looked_at &&
           (pickle_.find(items[2], "_modules") || pickle_.find(items[2], "_parameters"));
  }

  [[noreturn]] void refuse_module(PickleValue value) const {
    fail(path_, ": holds a whole module (", pickle_.name_of(value),
         "), which only its own Python code can build; in PyTorch, load it and "
         "torch.save(model.state_dict(), ...)");
  }

  // Throws, saying what is there in place of a state dict.
  [[noreturn]] void explain(PickleValue value) const {
    const auto items = pickle_.items(value);
    if (is_module(value)) refuse_module(value);
    std::string what = "no tensors";
    if (value.kind == Kind::dict) {
      for (size_t i = 1; i < std::min(items.size(), 2 * looked_at); i += 2)
        if (is_module(items[i])) refuse_module(items[i]);
      for (size_t i = 1; i < items.size() && what == "no tensors"; i += 2)
        if (items[i].kind == Kind::object)
          what += str_cat(" (", in_quotes(pickle_.text(items[i - 1])), " is built by ",
                          pickle_.name_of(items[i]), ")");
    } else if (rebuilder_.is_tensor(value)) {
      what = "a single tensor";
    } else if (value.kind == Kind::object) {
      what = "something built by " + pickle_.name_of(value);
    } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
      what = str_cat("a list of ", items.size(), " elements");
    }
    fail(path_, ": holds ", what,
         ", expected a state dict; in PyTorch, torch.save(model.state_dict(), ...)");
  }

  const Pickle& pickle_;
  const TensorRebuilder& rebuilder_;
  const std::string& path_;
  std::map<uint64_t, bool> has_tensors_;
};

using Entries = std::map<std::string, PickleValue, std::less<>>;

void strip_prefix(Entries& entries, std::string_view prefix) {
  for (const auto& entry : entries)
    if (!entry.first.starts_with(prefix)) return;
  Entries out;
  for (const auto& [name, value] : entries) out.emplace(name.substr(prefix.size()), value);
  entries = std::move(out);
}

// Takes the last part of a dotted name off; false if it has none.
bool take_last(std::string_view& name, std::string_view& last) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  last = name.substr(dot + 1);
  name = name.substr(0, dot);
  return true;
}

bool is_any(std::string_view text, std::initializer_list<std::string_view> of) {
  return std::find(of.begin(), of.end(), text) != of.end();
}

// "features.denseblock1.denselayer2.norm.1.weight" -> "...denselayer2.norm1.weight": torchvision
// renamed these when dots in the names of modules were forbidden. Other names come back unchanged.
std::string todays_name(const std::string& name) {
  std::string_view rest = name, tensor, number, kind;
  if (!take_last(rest, tensor) || !take_last(rest, number) || !take_last(rest, kind) ||
      !is_any(tensor, {"weight", "bias", "running_mean", "running_var"}) ||
      !is_any(number, {"1", "2"}) || !is_any(kind, {"norm", "relu", "conv"}))
    return name;
  const std::string_view layer = rest;
  while (!rest.empty() && std::isdigit(static_cast<unsigned char>(rest.back())))
    rest.remove_suffix(1);
  if (rest.size() == layer.size() || !rest.ends_with("denselayer")) return name;
  return str_cat(layer, ".", kind, number, ".", tensor);
}

}  // namespace

std::map<std::string, Tensor> read_state_dict(const Pickle& pickle, TensorRebuilder& rebuilder,
                                              Budget& budget, const std::string& path) {
  const auto items = pickle.items(Finder(pickle, rebuilder, path).find());
  Entries entries;
  for (size_t i = 0; i < items.size(); i += 2) {
    const std::string_view name = pickle.text(items[i]);
    const PickleValue value = items[i + 1];
    const bool tensor = rebuilder.is_tensor(value);
    budget.take(entry_bytes, "its names");
    if (!tensor && value.kind == Kind::object && pickle.holds_persistent(value))
      fail(path, ": tensor ", in_quotes(name), ": is built by ", pickle.name_of(value),
           ", which cannot be read; in PyTorch, make it a plain dense tensor and save the state ",
           "dict again");
    if (!tensor) continue;
    if (items[i].kind != Kind::text || name.size() > max_name)
      fail(path, ": expected tensors with names of at most ", max_name, " bytes, got ",
           in_quotes(name));
    budget.take(3 * name.size(), "its names");
    entries.insert_or_assign(std::string(name), value);
  }
  strip_prefix(entries, "module.");
  strip_prefix(entries, "_orig_mod.");
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : entries) {
    const std::string where = path + ": tensor " + in_quotes(name) + ": ";
    require(out.emplace(todays_name(name), rebuilder.build(value, where)).second, where,
            "is there twice, under its old and its new name");
  }
  return out;
}

}  // namespace limbic::weights
