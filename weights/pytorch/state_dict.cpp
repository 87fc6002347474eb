#include "limbic/weights/pytorch/state_dict.h"

#include <algorithm>
#include <set>

#include "limbic/weights/header.h"
#include "limbic/weights/states.h"

namespace limbic::weights {
namespace {

using Kind = PickleValue::Kind;

constexpr int max_depth = 8;
constexpr size_t max_name = 512;
constexpr size_t looked_at = 1000;     // entries, to explain what a file holds
constexpr uint64_t entry_bytes = 400;  // of a map's node, a name and a tensor that is a view

// A dictionary of tensors in a checkpoint.
struct Found {
  FoundState state;
  std::span<const PickleValue> items;  // key, value, key, value ...
};

class Finder {
 public:
  Finder(const Pickle& pickle, const TensorRebuilder& rebuilder, const std::string& path)
      : pickle_(pickle), rebuilder_(rebuilder), path_(path) {}

  std::vector<Found> find() {
    walk(pickle_.root(), "", 0);
    if (found_.empty()) explain(pickle_.root());
    return std::move(found_);
  }

  std::vector<std::string> classes;  // as the file names them

 private:
  // Keys and values of a dictionary, also of an instance of a class made from dict.
  std::span<const PickleValue> pairs_of(PickleValue value) const {
    auto items = pickle_.items(value);
    if (value.kind == Kind::object && items.size() > 3)
      items = items.subspan(2);
    else if (value.kind != Kind::dict)
      return {};
    items = items.first(items.size() / 2 * 2);
    if (value.kind == Kind::object && !items.empty() && items[0].kind != Kind::text) return {};
    return items;
  }

  void walk(PickleValue value, const std::string& place, int depth) {
    if (depth > max_depth || rebuilder_.is_tensor(value) || !seen_.insert(value.at).second) return;
    if (value.kind == Kind::list || value.kind == Kind::tuple) {
      const auto items = pickle_.items(value);
      for (size_t i = 0; i < std::min<size_t>(items.size(), 64); ++i)
        if (is_container(items[i])) walk(items[i], within(place, std::to_string(i)), depth + 1);
      return;
    }
    if (pickle_.find(value, "param_groups") && pickle_.find(value, "state"))
      return;  // an optimiser's
    read_classes(value);
    const auto pairs = pairs_of(value);
    int64_t tensors = 0;
    for (size_t i = 0; i < pairs.size(); i += 2)
      tensors += pairs[i].kind == Kind::text && rebuilder_.is_tensor(pairs[i + 1]);
    if (tensors > 0) found_.push_back({{place, tensors}, pairs});
    for (size_t i = 0; i < pairs.size(); i += 2) {
      const std::string_view key = pickle_.text(pairs[i]);
      if (!is_container(pairs[i + 1]) || key.size() > max_name) continue;
      if (key.find("optim") != std::string_view::npos) continue;  // its state is no network
      walk(pairs[i + 1], within(place, key.empty() ? "?" : std::string(key)), depth + 1);
    }
  }

  static std::string within(const std::string& place, const std::string& key) {
    return place.empty() ? key : place + "." + key;
  }

  static bool is_container(PickleValue value) {
    return value.kind == Kind::dict || value.kind == Kind::list || value.kind == Kind::tuple ||
           value.kind == Kind::object;
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
    if (pickle_.find(value, "param_groups") && pickle_.find(value, "state")) {
      what = "an optimiser's state and no network";
    } else if (value.kind == Kind::dict) {
      for (size_t i = 1; i < std::min(items.size(), 2 * looked_at); i += 2)
        if (is_module(items[i])) refuse_module(items[i]);
      for (size_t i = 1; i < items.size(); i += 2)
        if (rebuilder_.is_tensor(items[i])) what = "tensors without names";
      for (size_t i = 1; i < items.size() && what == "no tensors"; i += 2)
        if (items[i].kind == Kind::object)
          what += str_cat(" (", in_quotes(pickle_.text(items[i - 1])), " is built by ",
                          pickle_.name_of(items[i]), ")");
    } else if (rebuilder_.is_tensor(value)) {
      what = "a single tensor";
    } else if (value.kind == Kind::object && pickle_.is_global(items[0], "", "getattr")) {
      what = "a method and not what it returns (model.state_dict without its parentheses)";
    } else if (value.kind == Kind::object) {
      what = "something built by " + pickle_.name_of(value);
    } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
      what = str_cat("a list of ", items.size(), " elements without tensors under names");
    }
    fail(path_, ": holds ", what,
         ", expected a state dict; in PyTorch, torch.save(model.state_dict(), ...)");
  }

  // "class_to_idx": {name: number} or "classes": [name].
  void read_classes(PickleValue dict) {
    if (!classes.empty()) return;
    if (const PickleValue* numbers = pickle_.find(dict, "class_to_idx")) {
      const auto items = pickle_.items(*numbers);
      std::vector<std::string> names(std::min<size_t>(items.size() / 2, 65536));
      for (size_t i = 0; i + 1 < items.size() && i / 2 < names.size(); i += 2) {
        const bool fits = items[i].kind == Kind::text && items[i + 1].kind == Kind::integer &&
                          items[i + 1].integer >= 0 && items[i + 1].integer < std::ssize(names);
        if (!fits) return;
        names[static_cast<size_t>(items[i + 1].integer)] = pickle_.text(items[i]).substr(0, 256);
      }
      if (std::find(names.begin(), names.end(), "") == names.end()) classes = std::move(names);
    }
    for (const char* key : {"classes", "class_names"}) {
      const PickleValue* list = pickle_.find(dict, key);
      if (!list || !classes.empty()) continue;
      for (PickleValue item : pickle_.items(*list)) {
        if (item.kind != Kind::text || classes.size() >= 65536) return classes.clear();
        classes.emplace_back(pickle_.text(item).substr(0, 256));
      }
    }
  }

  const Pickle& pickle_;
  const TensorRebuilder& rebuilder_;
  const std::string& path_;
  std::set<uint64_t> seen_;
  std::vector<Found> found_;
};

}  // namespace

StateDict read_state_dict(const Pickle& pickle, TensorRebuilder& rebuilder, Budget& budget,
                          const std::string& path, const std::string& state) {
  Finder finder(pickle, rebuilder, path);
  const std::vector<Found> found = finder.find();
  std::vector<FoundState> states;
  for (const Found& f : found) states.push_back(f.state);
  const ChosenState chosen = choose_state(states, state, path);
  StateDict out{{}, chosen.all, chosen.remark, chosen.wanted_found, std::move(finder.classes)};
  const auto items = found[chosen.index].items;
  for (size_t i = 0; i < items.size(); i += 2) {
    const std::string_view name = pickle.text(items[i]);
    const PickleValue value = items[i + 1];
    const bool tensor = rebuilder.is_tensor(value);
    budget.take(entry_bytes, "its names");
    const std::string where = path + ": tensor " + in_quotes(name) + ": ";
    if (!tensor && value.kind == Kind::object) {
      const PickleValue callable = pickle.items(value)[0];
      if (pickle.is_global(callable, "torch._utils", "_rebuild_meta_tensor_no_storage"))
        fail(where,
             "is a meta tensor, which has a shape and no values; in PyTorch, load the "
             "weights before they are saved");
      if (pickle.holds_persistent(value) && pickle.items(value).size() == 2)
        fail(where, "is built by ", pickle.name_of(value),
             ", which cannot be read; in PyTorch, make it a plain dense tensor and save the state ",
             "dict again");
    }
    if (!tensor) continue;
    if (items[i].kind != Kind::text || name.size() > max_name)
      fail(path, ": expected tensors with names of at most ", max_name, " bytes, got ",
           items[i].kind == Kind::text ? in_quotes(name) : "a key that is no text");
    budget.take(3 * name.size(), "its names");
    out.tensors.insert_or_assign(std::string(name), rebuilder.build(value, where));
  }
  return out;
}

}  // namespace limbic::weights
