#pragma once
#include "limbic/emotion/model.h"
#include "limbic/report/figure.h"

namespace limbic::demo {

/// The paper's Fig. 1 of a model as it was fitted; a model does not keep its SVM's C.
report::PipelineFigure pipeline_figure(const emotion::EmotionModel& model,
                                       std::optional<double> C = {});

}  // namespace limbic::demo
