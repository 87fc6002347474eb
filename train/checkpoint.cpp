#include "limbic/train/checkpoint.h"
#include "limbic/hash/hash.h"

#include <nlohmann/json.hpp>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"

namespace limbic::train {

using nlohmann::json;

namespace {

constexpr const char* state_key = "limbic.training_state";
constexpr const char* momentum_prefix = "momentum/";
constexpr const char* best_key = "limbic.best_epoch";

json to_json(const EpochResult& e) {
  return {{"epoch", e.epoch},
          {"train_loss", e.train_loss},
          {"train_accuracy", e.train_accuracy},
          {"validation_loss", e.validation_loss},
          {"validation_accuracy", e.validation_accuracy},
          {"learning_rate", e.learning_rate},
          {"seconds", e.seconds}};
}

json to_json(const TrainingState& s) {
  json epochs = json::array();
  for (const EpochResult& e : s.epochs) epochs.push_back(to_json(e));
  return {{"epoch", s.epoch},
          {"step", s.step},
          {"position", s.position},
          {"micro_batch", s.micro_batch},
          {"loss_sum", s.loss_sum},
          {"correct", s.correct},
          {"seen", s.seen},
          {"best_epoch", s.best_epoch},
          {"epochs", epochs},
          {"settings", s.settings},
          {"implementations", s.implementations}};
}

double number(const json& object, const char* key) { return finite_number(object.at(key), key); }
int64_t whole(const json& object, const char* key, int64_t least = 0) {
  return whole_number(object.at(key), key, least);
}

EpochResult epoch_from(const json& j) {
  return {.epoch = whole(j, "epoch", 1),
          .train_loss = number(j, "train_loss"),
          .train_accuracy = number(j, "train_accuracy"),
          .validation_loss = number(j, "validation_loss"),
          .validation_accuracy = number(j, "validation_accuracy"),
          .learning_rate = number(j, "learning_rate"),
          .seconds = number(j, "seconds")};
}

TrainingState state_from(const json& j) {
  TrainingState s{.epoch = whole(j, "epoch"),
                  .step = whole(j, "step"),
                  .position = whole(j, "position"),
                  .micro_batch = whole(j, "micro_batch", 1),
                  .loss_sum = number(j, "loss_sum"),
                  .correct = whole(j, "correct"),
                  .seen = whole(j, "seen"),
                  .best_epoch = whole(j, "best_epoch"),
                  .epochs = {},
                  .settings = j.at("settings"),
                  .implementations = j.at("implementations")};
  for (const json& e : j.at("epochs")) s.epochs.push_back(epoch_from(e));
  return s;
}

// What `from_json` makes of a file's metadata under `key`.
template <class FromJson>
auto read_metadata(const weights::SafetensorsFile& file, const char* key,
                   const FromJson& from_json) {
  try {
    return from_json(parse_json<json>(file.metadata.at(key), key));
  } catch (const std::out_of_range& e) {
    fail(file.file.path, ": does not say which run it belongs to (no ", key, ")");
  } catch (const json::exception& e) {
    fail(file.file.path, ": its ", key, " is damaged (", reason_of(e),
         "); delete it to start afresh");
  } catch (const Error& e) {
    fail(file.file.path, ": its ", key, " is damaged (", e.what(), "); delete it to start afresh");
  }
}

std::map<std::string, Tensor> tensors_of(const Parameters& parameters) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, parameter] : parameters) out[name] = parameter.value;
  parameters.require_intact();
  const std::string bad = weights::first_not_finite(parameters);
  require(bad.empty(), bad, ": holds NaN or infinity and is not worth a file");
  return out;
}

}  // namespace

std::string differences(const std::string& stored, const std::string& wanted, const char* was_word,
                        const char* is_word) {
  const json was = try_parse_json<json>(stored), is = json::parse(wanted);
  if (!was.is_object()) return "its settings are damaged";
  std::string out;
  const auto say = [&](const std::string& key, const json& a, const json& b) {
    out += str_cat(out.empty() ? "" : "; ", key, was_word, a.dump(), is_word, b.dump());
  };
  for (const auto& [key, value] : is.items())
    if (!was.contains(key) || was[key] != value) say(key, was.value(key, json()), value);
  for (const auto& [key, value] : was.items())
    if (!is.contains(key)) say(key, value, json());
  return out;
}

namespace {

// Whether they are equal but for more epochs.
bool adds_epochs(const std::string& stored, const std::string& wanted) {
  json was = try_parse_json<json>(stored), is = json::parse(wanted);
  if (!was.is_object() || !was.value("epochs", json()).is_number_integer() ||
      was["epochs"] >= is["epochs"])
    return false;
  was["epochs"] = is["epochs"];
  return was == is;
}

// Whether a run of the settings `stored` may go on with `wanted`: equal, or with more epochs where
// the rate does not depend on their number.
bool goes_on(const std::string& stored, const std::string& wanted) {
  if (stored == wanted) return true;
  const json is = json::parse(wanted);
  return is.value("schedule", "") == to_string(Schedule::Kind::constant) &&
         is.value("warmup", 1.0) == 0.0 && adds_epochs(stored, wanted);
}

}  // namespace

void save_weights(const std::string& path, const Parameters& parameters,
                  const std::map<std::string, std::string>& metadata,
                  const std::map<std::string, Tensor>& extras) {
  auto tensors = tensors_of(parameters);
  tensors.insert(extras.begin(), extras.end());
  weights::write_safetensors(path, tensors, metadata);
}

void save_checkpoint(const std::string& path, const TrainingState& state,
                     const Parameters& parameters, const std::map<std::string, Tensor>& momentum,
                     std::map<std::string, std::string> metadata) {
  auto tensors = tensors_of(parameters);
  for (const auto& [name, velocity] : momentum) tensors[momentum_prefix + name] = velocity;
  metadata[state_key] = to_json(state).dump();
  weights::write_safetensors(path, tensors, metadata);
}

LoadedCheckpoint load_checkpoint(const std::string& path, Parameters& parameters,
                                 const std::string& settings) {
  const weights::SafetensorsFile file = weights::read_safetensors(path);
  require(
      file.metadata.contains(state_key), path,
      ": holds weights but no training state; start from it with --weights instead of --resume");
  LoadedCheckpoint loaded{read_metadata(file, state_key, state_from), {}};
  if (!settings.empty() && !goes_on(loaded.state.settings, settings))
    fail(
        path,
        ": was trained with other options, weights or pictures, so it cannot be resumed with ",
        "these; use the same ones or another --out: ", differences(loaded.state.settings, settings),
        adds_epochs(loaded.state.settings, settings)
            ? "; more epochs can be added where the learning rate does not depend on how many "
              "there are (--schedule constant without --warmup)"
            : "");
  if (!settings.empty()) loaded.state.settings = settings;
  std::map<std::string, Tensor> weights;
  for (const auto& [name, tensor] : file.tensors) {
    const std::string prefix = momentum_prefix;
    if (name.starts_with(prefix))
      loaded.momentum[name.substr(prefix.size())] = tensor.clone();
    else
      weights[name] = tensor;
  }
  weights::load_parameters(weights, parameters, {.source = path, .file = &file.file});
  return loaded;
}

void save_best(const std::string& path, const TrainingState& state, const BestEpoch& best,
               const Parameters& parameters, std::map<std::string, std::string> metadata) {
  metadata[best_key] = json{
      {"epoch", best.epoch},
      {"accuracy", best.accuracy},
      {"loss", best.loss},
      {"settings",
       state.settings}}.dump();
  save_weights(path, parameters, metadata);
}

BestEpoch load_best(const std::string& path, const TrainingState& state, Parameters& parameters) {
  const weights::SafetensorsFile file = weights::read_safetensors(path);
  const BestEpoch best = read_metadata(file, best_key, [&](const json& j) {
    require(goes_on(j.at("settings"), state.settings), "of another run than last.safetensors");
    return BestEpoch{whole(j, "epoch", 1), number(j, "accuracy"), number(j, "loss")};
  });
  weights::load_parameters(file.tensors, parameters, {.source = path, .file = &file.file});
  return best;
}

void copy_values(const Parameters& from, Parameters& to) {
  for (const auto& [name, parameter] : from) to.set(name, parameter.value);
}

std::map<std::string, std::string> description(const models::Model& model, const TrainData& data) {
  return {{"limbic.model", model.name},
          {"limbic.preset", to_json(data.preset)},
          {"limbic.classes", json(data.train.classes).dump()}};
}

std::string sha256_of(const Parameters& parameters) {
  std::string hashes;
  for (const auto& [name, p] : parameters)
    hashes += name + sha256({static_cast<const uint8_t*>(p.value.raw()),
                             static_cast<size_t>(p.value.bytes())});
  return sha256_of_text(hashes);
}

std::string settings_of(const TrainOptions& o,
                        const std::optional<io::Augmentation>& augmentation) {
  json j = {{"epochs", o.epochs},
            {"batch_size", o.batch_size},
            {"micro_batch", o.micro_batch},
            {"memory_bytes", o.memory_bytes},
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
            {"balance_classes", o.balance_classes},
            {"frozen", o.frozen},
            {"patience", o.patience},
            {"dtype", to_string(o.dtype)},
            {"seed", o.seed}};
  if (o.keep_last_batch) j["last_batch"] = "keep";
  if (o.sync_batch_norm) j["sync_bn"] = true;
  // Named only where they are used: earlier checkpoints know nothing of them.
  if (!o.frozen.empty() && o.cache_dtype)
    j["cache"] = {to_string(*o.cache_dtype), augmentation ? o.cache_views : 0};
  if (!o.sgd.rate_factors.empty()) j["rate_factors"] = o.sgd.rate_factors;
  if (o.adam)
    j["adam"] = {o.adam->beta1,        o.adam->beta2,     o.adam->epsilon,
                 o.adam->weight_decay, o.adam->decoupled, o.adam->rate_factors};
  if (!o.auxiliary.group.empty()) j["auxiliary"] = {o.auxiliary.group, o.auxiliary.weight};
  if (augmentation) j["augmentation"] = json::parse(io::to_json(*augmentation));
  return j.dump();
}

std::string settings_of(const models::Model& model, const TrainData& data,
                        const TrainOptions& options, const StartingPoint& start) {
  json j = json::parse(settings_of(options, data.augmentation));
  j.update({{"model", model.name},
            {"classes", data.train.classes},
            {"starting_weights", start.weights.substr(0, 16)},
            {"training_pictures", start.training.substr(0, 16)},
            {"validation_pictures", start.validation.substr(0, 16)},
            {"preset", json::parse(to_json(data.preset))}});
  return j.dump();
}

}  // namespace limbic::train
