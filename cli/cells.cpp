#include "limbic/cli/cells.h"

#include <algorithm>
#include <stdexcept>

namespace limbic::cli {

Cells::Cells(std::string path, std::string key, std::vector<std::string> names)
    : journal_(std::move(path), "cell", int64_t{64} << 20),
      key_(std::move(key)),
      names_(std::move(names)) {}

const Journal::Json* Cells::find(const Place& place) const {
  const Journal::Json* found = journal_.find(key_, place);
  const auto has_number = [&](const std::string& name) {
    const auto value = found->find(name);
    return value != found->end() && value->is_number();
  };
  if (!found || !found->is_object() || !std::all_of(names_.begin(), names_.end(), has_number))
    return nullptr;
  return found;
}

Cells::Result Cells::at(const Place& place) const {
  const Journal::Json* found = find(place);
  if (!found) throw std::out_of_range("no cell " + place.dump());
  Result out;
  for (const std::string& name : names_) out[name] = found->at(name).get<double>();
  return out;
}

void note_unconverged(const Common& common, int64_t cells) {
  if (cells > 0)
    note(common,
         str_cat("warning: in ", cells,
                 " cells the SVM reached its iteration limit before it converged; scale the "
                 "features or leave out the largest C"));
}

}  // namespace limbic::cli
