#pragma once
#include "limbic/emotion/fit.h"

namespace limbic::demo {

struct DemoOptions {
  std::string out = "demo";  ///< Pictures, model and report.html.
  uint64_t seed = 0;
  int64_t train_per_class = 150, test_per_class = 60, objects_per_class = 120;
  int64_t epochs = 12;
  int64_t image_size = 48;
  double noise = 0.5;           ///< Of the paintings (paintings.h).
  double object_share = 0.7;    ///< How often the object suits the emotion.
  bool permute_labels = false;  ///< A check: labels shuffled, so nothing can be learnt.
  std::string command;          ///< Shown in the report.
};

struct DemoResult {
  std::map<std::string, double> accuracy;  ///< Name of the part -> accuracy on fresh pictures.
  int64_t test_pictures = 0;
  double best_single = 0, fusion = 0;
  double seconds = 0;
  std::string report;  ///< Path of the page.
};

/// The whole pipeline on pictures that it draws itself: a supplementary CNN learns the objects, two
/// Diff-CNNs the emotions, their features are fused, the SVM is fitted, everything is scored on
/// fresh pictures and shown on one page. Every number is computed in this run.
DemoResult run_demo(const DemoOptions& options, const ProgressFunction& progress = {});

}  // namespace limbic::demo
