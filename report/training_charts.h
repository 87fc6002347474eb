#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/report/report.h"
#include "limbic/train/trainer.h"

namespace limbic::report {

/// A chart of the training loss and, where there was validation, one of its accuracy, epoch by
/// epoch, a line a training.
std::vector<Report::LineChart> training_charts(
    const std::map<std::string, std::vector<train::EpochResult>>& trainings);

}  // namespace limbic::report
