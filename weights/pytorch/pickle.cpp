#include "limbic/weights/pytorch/pickle.h"

#include "limbic/weights/header.h"
#include "limbic/weights/pytorch/pickle_reader.h"

namespace limbic::weights {

Pickle::Pickle(std::string_view bytes, Budget& budget, std::string path) : bytes_(bytes) {
  PickleReader(*this, budget, std::move(path)).read();
}

std::string_view Pickle::text(Value value) const {
  if (value.kind != Kind::text && value.kind != Kind::big_integer) return {};
  return bytes_.substr(value.at, value.size);
}

std::span<const PickleValue> Pickle::items(Value value) const {
  if (!is_node(value)) return {};
  return node(value).items;
}

bool Pickle::holds_persistent(Value value) const {
  return is_node(value) && node(value).holds_persistent;
}

const PickleValue* Pickle::find(Value dict, std::string_view key) const {
  if (dict.kind != Kind::dict) return nullptr;
  const auto& all = node(dict).items;
  for (size_t i = all.size(); i >= 2; i -= 2)
    if (all[i - 2].kind == Kind::text && text(all[i - 2]) == key) return &all[i - 1];
  return nullptr;
}

bool Pickle::is_global(Value value, std::string_view module, std::string_view name) const {
  if (value.kind != Kind::global) return false;
  const auto& names = node(value).items;
  return text(names[1]) == name && (module.empty() || text(names[0]) == module);
}

std::string Pickle::name_of(Value value) const {
  // An object is named by its callable, the copy_reg function by the class that it makes an
  // instance of. A class may be the persistent id ("module", class, file, source).
  for (int depth = 0; depth < 4; ++depth) {
    if (value.kind == Kind::object) {
      const auto made = items(value), arguments = items(made[1]);
      const bool generic = is_global(made[0], "", "_reconstructor") && !arguments.empty();
      value = generic ? arguments[0] : made[0];
    } else if (value.kind == Kind::persistent && items(items(value)[0]).size() > 1) {
      value = items(items(value)[0])[1];
    }
  }
  if (value.kind != Kind::global) return "something";
  const auto names = items(value);
  return in_quotes(str_cat(text(names[0]).substr(0, 100), ".", text(names[1]).substr(0, 100)));
}

}  // namespace limbic::weights
