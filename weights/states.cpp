#include "limbic/weights/states.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

// Names under which training scripts keep a network, the likeliest first. Of "state_dict" and
// "state_dict_ema" timm, whose files have both, loads the second.
constexpr const char* likely[] = {
    "state_dict_ema", "state_dict", "model_state_dict", "model_state",    "model",  "net",
    "network",        "ema",        "model_ema",        "ema_state_dict", "params", "weights"};

bool ends_in(const std::string& place, const std::string& name) {
  return place == name || place.ends_with("." + name);
}

std::string listed(const std::vector<FoundState>& states, const std::vector<size_t>& some) {
  std::string out;
  for (size_t i = 0; i < std::min<size_t>(some.size(), 8); ++i) {
    const FoundState& s = states[some[i]];
    out += str_cat(i ? ", " : "", s.place.empty() ? "the file itself" : in_quotes(s.place), " of ",
                   s.tensors, " tensors");
  }
  return out;
}

}  // namespace

ChosenState choose_state(const std::vector<FoundState>& states, const std::string& wanted,
                         const std::string& path) {
  require(!states.empty(), path, ": holds no tensors");
  int64_t most = 0;
  for (const FoundState& s : states) most = std::max(most, s.tensors);
  std::vector<size_t> large;
  ChosenState out;
  for (size_t i = 0; i < states.size(); ++i)
    if (4 * states[i].tensors >= most) {
      large.push_back(i);
      out.all.push_back(states[i].place);
    }
  if (!wanted.empty()) {
    std::vector<size_t> fitting;
    for (size_t i = 0; i < states.size(); ++i)
      if (states[i].place == wanted) fitting = {i};
    for (size_t i = 0; i < states.size() && fitting.empty(); ++i)
      if (ends_in(states[i].place, wanted)) fitting.push_back(i);
    if (fitting.empty() && large.size() == 1) {  // names within it may begin so
      out.wanted_found = false;
      out.index = large[0];
      return out;
    }
    require(fitting.size() == 1, path, ": has no network ", in_quotes(wanted), "; it holds ",
            listed(states, large));
    out.index = fitting[0];
    return out;
  }
  out.index = large[0];
  if (large.size() == 1) return out;
  for (const char* name : likely)
    for (size_t i : large) {
      if (!ends_in(states[i].place, name)) continue;
      out.index = i;
      out.remark = str_cat(path, ": takes ", in_quotes(states[i].place), " of several networks (",
                           listed(states, large), "); --state chooses another");
      return out;
    }
  fail(path, ": holds several networks (", listed(states, large),
       "); choose one with --state NAME");
}

}  // namespace limbic::weights
