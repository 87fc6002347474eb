#include "limbic/report/training_charts.h"

namespace limbic::report {

std::vector<Report::LineChart> training_charts(
    const std::map<std::string, std::vector<train::EpochResult>>& trainings) {
  Report::LineChart loss{.title = "Training",
                         .explanation =
                             "Cross-entropy on the pictures being learnt, epoch by epoch; lower is "
                             "better.",
                         .x_label = "epoch",
                         .y_label = "loss",
                         .series = {}};
  Report::LineChart accuracy{.title = "Validation",
                             .explanation =
                                 "Accuracy on pictures kept aside to choose the epoch; the best "
                                 "epoch is taken.",
                             .x_label = "epoch",
                             .y_label = "accuracy",
                             .series = {}};
  for (const auto& [name, epochs] : trainings) {
    Report::Series own_loss{name, {}}, own_accuracy{name, {}};
    bool validated = false;
    for (const train::EpochResult& e : epochs) {
      const auto epoch = static_cast<double>(e.epoch);
      own_loss.points.push_back({epoch, e.train_loss});
      own_accuracy.points.push_back({epoch, e.validation_accuracy});
      validated = validated || e.validation_loss > 0;
    }
    if (epochs.empty()) continue;
    loss.series.push_back(std::move(own_loss));
    if (validated) accuracy.series.push_back(std::move(own_accuracy));
  }
  std::vector<Report::LineChart> out;
  for (Report::LineChart* chart : {&loss, &accuracy})
    if (!chart->series.empty()) out.push_back(std::move(*chart));
  return out;
}

}  // namespace limbic::report
