#include "train/checkpoint.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "nn/core/file.h"
#include "weights/load.h"
#include "weights/safetensors.h"

namespace limbic {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochResult, epoch, train_loss, train_accuracy, validation_loss,
                                   validation_accuracy, learning_rate, seconds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingState, epoch, step, position, micro_batch, loss_sum,
                                   correct, seen, best_accuracy, best_loss, best_epoch, epochs,
                                   settings, implementations)

namespace {

constexpr const char* state_key = "limbic.training_state";
constexpr const char* momentum_prefix = "momentum/";

std::map<std::string, Tensor> tensors_of(const Parameters& parameters) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, parameter] : parameters) out[name] = parameter.value;
  parameters.require_intact();
  return out;
}

}  // namespace

void save_weights(const std::string& path, const Parameters& parameters,
                  const std::map<std::string, std::string>& metadata,
                  const std::map<std::string, Tensor>& extras) {
  auto tensors = tensors_of(parameters);
  tensors.insert(extras.begin(), extras.end());
  write_safetensors(path, tensors, metadata);
}

void save_checkpoint(const std::string& path, const TrainingState& state,
                     const Parameters& parameters, const std::map<std::string, Tensor>& momentum,
                     std::map<std::string, std::string> metadata) {
  auto tensors = tensors_of(parameters);
  for (const auto& [name, velocity] : momentum) tensors[momentum_prefix + name] = velocity;
  metadata[state_key] = json(state).dump();
  write_safetensors(path, tensors, metadata);
}

LoadedCheckpoint load_checkpoint(const std::string& path, Parameters& parameters) {
  const SafetensorsFile file = read_safetensors(path);
  const auto found = file.metadata.find(state_key);
  require(
      found != file.metadata.end(), path,
      ": holds weights but no training state; start from it with --weights instead of --resume");
  LoadedCheckpoint loaded;
  try {
    loaded.state = json::parse(found->second).get<TrainingState>();
  } catch (const json::exception& e) {
    fail(path, ": its training state is damaged (", e.what(), "); delete it to start afresh");
  }
  std::map<std::string, Tensor> weights;
  for (const auto& [name, tensor] : file.tensors) {
    const std::string prefix = momentum_prefix;
    if (name.rfind(prefix, 0) == 0)
      loaded.momentum[name.substr(prefix.size())] = tensor.clone();
    else
      weights[name] = tensor;
  }
  load_parameters(weights, parameters, {.source = path, .file = &file.file});
  return loaded;
}

std::map<std::string, std::string> description(const Model& model, const TrainData& data) {
  return {{"limbic.model", model.name},
          {"limbic.preset", to_json(data.preset)},
          {"limbic.classes", json(data.train.classes).dump()}};
}

namespace {

// Which pictures: their names, their folders' names and their labels, in order.
std::string fingerprint(const Dataset& data) {
  std::string text;
  for (const Sample& s : data.samples) {
    const std::filesystem::path path(s.path);
    text += path.parent_path().filename().string() + "/" + path.filename().string() + ":" +
            std::to_string(s.label) + "\n";
  }
  return sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()}).substr(0, 16);
}

}  // namespace

std::string settings_of(const Model& model, const TrainData& data, const TrainOptions& o) {
  json j = {{"model", model.name},
            {"classes", data.train.classes},
            {"training_pictures", {data.train.size(), fingerprint(data.train)}},
            {"validation_pictures", {data.validation.size(), fingerprint(data.validation)}},
            {"preset", json::parse(to_json(data.preset))},
            {"epochs", o.epochs},
            {"batch_size", o.batch_size},
            {"learning_rate", o.learning_rate},
            {"momentum", o.sgd.momentum},
            {"nesterov", o.sgd.nesterov},
            {"weight_decay", o.sgd.weight_decay},
            {"schedule", to_string(o.schedule.kind)},
            {"warmup", o.schedule.warmup},
            {"schedule_shape",
             {o.schedule.step_every, o.schedule.step_factor, o.schedule.one_cycle_rise}},
            {"label_smoothing", o.loss.label_smoothing},
            {"class_weights", o.loss.class_weights},
            {"frozen", o.frozen},
            {"patience", o.patience},
            {"seed", o.seed}};
  if (o.dtype != DType::f32) j["dtype"] = to_string(o.dtype);
  if (const auto& a = data.augmentation)
    j["augmentation"] = {a->random_resized_crop, a->min_scale,   a->max_scale, a->min_ratio,
                         a->max_ratio,           a->random_crop, a->padding,   a->flip,
                         a->brightness,          a->contrast,    a->saturation};
  return j.dump();
}

}  // namespace limbic
