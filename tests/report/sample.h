#pragma once
#include "limbic/report/figure.h"

namespace limbic::testing {

/// Names that are no friends of a page's layout or of its formats.
extern const char* const hostile_text;

/// A report with every kind of section, as a run on eight emotions leaves them.
report::Report sample_report();
/// The same kinds with hostile names, a wide table, forty classes and nothing at all.
report::Report hostile_report();
report::PipelineFigure sample_pipeline();

}  // namespace limbic::testing
