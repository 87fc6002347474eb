#pragma once
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "limbic/core/error.h"

namespace limbic::testing {

inline nlohmann::json read_golden(const std::string& name) {
  const std::string path = LIMBIC_SOURCE_DIR "/tests/goldens/" + name + ".json";
  std::ifstream in(path);
  require(in.good(), path, ": missing; make it with tests/goldens/make_schedule_goldens.py");
  return nlohmann::json::parse(in);
}

}  // namespace limbic::testing
