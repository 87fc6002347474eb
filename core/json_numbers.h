#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "limbic/core/error.h"

namespace limbic {

/// What one of nlohmann's exceptions says, without the library's own number of it.
template <class Exception>
std::string reason_of(const Exception& e) {
  const std::string what = e.what();
  const size_t end = what.find("] ");
  return what.starts_with("[json.") && end != what.npos ? what.substr(end + 2) : what;
}

/// The JSON in `text`; throws Json::parse_error where it is none, and Error beginning with `name`
/// where it nests deeper than anything that is meant: nlohmann copies, compares and prints by
/// recursion, so that a few million brackets would overflow the stack.
template <class Json, class Text>
Json parse_json(const Text& text, const std::string& name) {
  constexpr int deepest = 100;
  return Json::parse(text.begin(), text.end(), [&](int depth, typename Json::parse_event_t, Json&) {
    require(depth <= deepest, name, ": is nested over ", deepest, " deep");
    return true;
  });
}
/// The same; a discarded value where that would throw.
template <class Json, class Text>
Json try_parse_json(const Text& text) {
  try {
    return parse_json<Json>(text, "JSON");
  } catch (const Error&) {
  } catch (const typename Json::exception&) {
  }
  return Json(Json::value_t::discarded);
}

/// A JSON value that must be a finite number. nlohmann's own conversions take what comes: 224.9 as
/// the integer 224, `true` as 1, 1e300 as a float's infinity. Throws Error beginning with `name`.
template <class Json>
double finite_number(const Json& value, const std::string& name) {
  const double number = value.is_number() ? value.template get<double>() : NAN;
  require(std::isfinite(number), name, ": expected a finite number, got ", value.dump());
  return number;
}

/// A JSON value that must be a whole number from `least` to `most`; 3.0 is one.
template <class Json>
int64_t whole_number(const Json& value, const std::string& name, int64_t least,
                     int64_t most = int64_t{1} << 53) {
  const double number = finite_number(value, name);
  require(number == std::floor(number) && number >= static_cast<double>(least) &&
              number <= static_cast<double>(most),
          name, ": expected a whole number from ", least, " to ", most, ", got ", value.dump());
  return static_cast<int64_t>(number);
}

}  // namespace limbic
