#include "limbic/demo/pipeline_figure.h"

#include "limbic/emotion/fusion.h"
#include "limbic/report/text.h"

namespace limbic::demo {
namespace {

struct Names {
  std::string role, vector;
};

Names names_of(const std::string& role) {
  if (role == "diff1") return {"Diff-CNN1", "X1"};
  if (role == "diff2") return {"Diff-CNN2", "X2"};
  if (role == "supplement") return {"supplement", "S"};
  return {role, role};
}

// What the block is multiplied by: "alpha = 0.5"; nothing where it is left as it is.
std::string weight_text(const emotion::Fusion& fusion, const std::string& role) {
  const double weight = emotion::block_weights(fusion, {role})[0];
  std::string text;
  const bool first = role == "diff1", second = role == "diff2";
  if (fusion.beta && role == "supplement") text = "\u03b2";
  if (fusion.beta && (first || second)) text = "(1\u2212\u03b2)";
  if (fusion.alpha && (first || second)) text += first ? "\u03b1" : "(1\u2212\u03b1)";
  return text.empty() ? "" : text + " = " + report::number_text(weight, 4);
}

}  // namespace

report::PipelineFigure pipeline_figure(const emotion::EmotionModel& model,
                                       std::optional<double> C) {
  report::PipelineFigure out;
  const auto& classifier = model.classifier;
  for (size_t i = 0; i < model.branches.size(); ++i) {
    const emotion::Branch& b = model.branches[i];
    const Names names = names_of(b.role);
    out.branches.push_back({.role = names.role,
                            .model = b.external ? "features of others" : b.network.model.name,
                            .image_size = b.external ? 0 : b.network.preset.crop,
                            .width = classifier.scaler.blocks.at(i).width,
                            .vector = names.vector,
                            .weight = weight_text(classifier.fusion, b.role),
                            .made_by = b.softmax ? "softmax" : "GAP"});
  }
  out.fused_width = classifier.scaler.features();
  out.classes = std::ssize(model.classes);
  const bool rbf = classifier.svm.kernel == svm::KernelType::rbf;
  out.classifiers = {str_cat("SVM, ", rbf ? "RBF" : "linear", " kernel",
                             C ? ", C = " + report::number_text(*C, 4) : ""),
                     "dense layer, softmax"};
  return out;
}

}  // namespace limbic::demo
