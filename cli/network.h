#pragma once
#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"
#include "limbic/network/network.h"
#include "limbic/nn/plan.h"

namespace limbic::cli {

/// --model, --weights, --preset, --image-size, --check: the options of every verb that runs one
/// CNN.
struct NetworkOptions {
  std::string model, weights, state, preset;
  std::vector<std::string> fresh;  ///< Of --fresh, which a verb adds that trains.
  int64_t image_size = 0;
  bool check = false;  ///< Run the weights' stored test case first.

  void add_to(const Verb& app, bool weights_required);
};

/// open_network, its remarks on standard error; with as many classes as the weights' classifier
/// has, and sharing the file's memory.
network::Network load_network(const Common& common, const NetworkOptions& options);
/// Throws Error where the network has no classifier of its own.
void require_classifier(const network::Network& network, const std::string& weights);
/// For training: of these classes, with weights of its own.
network::Network load_network(const Common& common, const NetworkOptions& options,
                              const std::vector<std::string>& class_names);
/// The pictures of a labelled folder, labels being the network's classes: matched by name where its
/// checkpoint names them, which the folder may then lack, else in alphabetical order, which is said
/// on standard error. Throws Error where the folder has other classes.
io::Dataset list_labelled(const Common& common, const std::string& dir,
                          const network::Network& network);

/// --dtype, --agreement, --tune and --calibration: how a network is computed in inference.
struct PlanChoice {
  std::string dtype = "f32", tune = "on", calibration;
  double agreement = 0.99;

  void add_to(const Verb& app);
  /// Options of a plan for `batch` pictures. int8 is calibrated, and auto decided, on up to 64
  /// pictures of the folder --calibration, else of `pictures`, which is said on standard error, as
  /// is what auto chose and that a narrow type is slower here. `skipped` takes the
  /// pictures of --calibration that cannot be used. Throws Error.
  PlanOptions options(const Common& common, const network::Network& network, int64_t batch,
                      const std::vector<std::string>& pictures,
                      std::vector<io::SkippedSample>& skipped) const;
};

/// "int8: 26 of 26 convolutions run in 8 bits" on standard error, of a plan in int8.
void note_convolutions(const Common& common, const Program& program);

/// Checks a model name while arguments are read, so that a wrong one is wrong usage.
Check known_model(bool or_none);

}  // namespace limbic::cli
