#pragma once
#include "limbic/report/report.h"
#include "limbic/reproduce/claims.h"

namespace limbic::reproduce {

/// The page: tables 1 to 3, figures 1 to 3, the claims, statistics, with the command that made it.
report::Report page_of(const Study& study, const Options& options, const std::string& command);

/// OUT/reproduce.{html,md,tex,json} and OUT/csv/NN-TITLE.csv. Throws Error.
void write_results(const Study& study, const Options& options, const std::string& command);

}  // namespace limbic::reproduce
