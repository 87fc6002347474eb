#include "limbic/demo/pipeline_figure.h"

#include "limbic/emotion/fusion.h"
#include "limbic/report/text.h"

namespace limbic::demo {
namespace {

struct Names {
  const char *role, *vector;
};

Names names_of(const std::string& role) {
  if (role == "diff1") return {"Diff-CNN1", "X1"};
  if (role == "diff2") return {"Diff-CNN2", "X2"};
  return {"supplement", "S"};
}

// "alpha = 0.5" where that is what the block is multiplied by.
std::string weight_text(const emotion::Fusion& fusion, const std::string& role) {
  const bool first = role == "diff1", supplement = role == "supplement";
  if (fusion.alpha && supplement) return "";
  const double value = fusion.alpha ? *fusion.alpha : *fusion.beta;
  const std::string name = fusion.alpha ? "\u03b1" : "\u03b2";
  const bool plain = fusion.alpha ? first : supplement;
  return (plain ? name : "(1\u2212" + name + ")") + " = " +
         report::number_text(plain ? value : 1 - value, 4);
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
                            .model = b.network.model.name,
                            .image_size = b.network.preset.crop,
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
