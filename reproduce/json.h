#pragma once
#include <nlohmann/json.hpp>

#include "limbic/reproduce/claims.h"

namespace limbic::reproduce {

/// Every number of a study, for OUT/reproduce.json.
nlohmann::ordered_json json_of(const Study& study, const Options& options,
                               const std::string& command);

}  // namespace limbic::reproduce
