#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "limbic/report/report.h"

namespace limbic::report {

/// The model as it was built, for the paper's Fig. 1: plain data.
struct PipelineFigure {
  struct Branch {
    std::string role;             ///< "Diff-CNN1", "supplement S".
    std::string model;            ///< "resnet101".
    int64_t image_size = 0;       ///< Pixels a side of what it looks at.
    int64_t width = 0;            ///< Of its vector.
    std::string vector;           ///< What the vector is called: "X1".
    std::string weight;           ///< What it is multiplied by: "alpha = 0.5"; empty: by nothing.
    std::string made_by = "GAP";  ///< What makes the vector: a global average, or "softmax".
  };
  std::vector<Branch> branches;
  int64_t fused_width = 0, classes = 0;
  std::vector<std::string> classifiers;  ///< "SVM, RBF kernel, C = 1.5", "dense softmax layer".
};

/// Two drawings, for wide and narrow windows, of which the page shows one: picture -> CNNs ->
/// vectors -> the fused vector -> classifiers.
std::string draw_pipeline(const PipelineFigure& figure);
/// One of them as a picture of its own, which a file can hold.
std::string draw_pipeline(const PipelineFigure& figure, bool tall);
/// The same in a sentence.
std::string describe_pipeline(const PipelineFigure& figure);
/// A section of it.
Report::Figure pipeline_section(const PipelineFigure& figure);

}  // namespace limbic::report
