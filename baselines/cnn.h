#pragma once
#include "limbic/baselines/baselines.h"
#include "limbic/baselines/pictures.h"
#include "limbic/network/network.h"

namespace limbic::baselines {

/// Opens a network; `name` stands before what goes to `notes`, and in its seed.
network::Network open_cnn(const std::string& name, const network::NetworkSource& source,
                          const Setting& setting, std::vector<std::string>& notes);

struct CnnData {
  const io::Dataset& train;
  const io::Dataset& validation;
};

/// Trains a network on `data` under setting.training, in the folder setting.out/name, where it goes
/// on if it was killed; `change` may alter the options. Throws Error as train::train does.
void train_cnn(network::Network& network, const std::string& name, const CnnData& data,
               const Setting& setting, const ProgressFunction& progress,
               std::vector<std::string>& notes,
               const std::function<void(train::TrainOptions&)>& change = {});

/// What layers of a network say of the pictures that can be read: labels or node names, of
/// (N,C,H,W) the mean over H and W.
struct LayerOutputs {
  std::vector<Tensor> rows;              ///< (N,D) for each layer; empty for no pictures.
  std::vector<int64_t> labels, indices;  ///< N, as in Features.
};
LayerOutputs run_layers(const network::Network& network, const std::vector<std::string>& layers,
                        const io::Dataset& data, const ProgressFunction& progress);

/// A network's own answer to each sample, as Learnt::predict gives it: the largest of the logits of
/// its classes.
std::vector<int64_t> answers_of(const network::Network& network, const io::Dataset& data,
                                const ProgressFunction& progress);

/// Networks without batch norm do not bear the rates that others learn by from fresh weights: at
/// most 0.02, with a note.
void lower_fresh_rate(train::TrainOptions& options, std::vector<std::string>& notes);

/// AlexNet's and CaffeNet's pooling needs 67 pixels: the setting's size, at least that, with a
/// sentence in `notes` where it was less or is below 224.
int64_t alexnet_size(const Setting& setting, std::vector<std::string>& notes);

}  // namespace limbic::baselines
