#include "train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>

#include "nn/core/clock.h"
#include "nn/core/file.h"
#include "nn/core/parallel.h"
#include "train/checkpoint.h"
#include "weights/load.h"
#include "weights/safetensors.h"

namespace limbic {
namespace {

namespace fs = std::filesystem;

int64_t free_memory() {
  std::ifstream info("/proc/meminfo");
  for (std::string key, unit; info >> key;) {
    int64_t kilobytes = 0;
    info >> kilobytes;
    std::getline(info, unit);
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return int64_t{4} << 30;
}

PlanOptions plan_options(const TrainOptions& options, Shape input) {
  PlanOptions p = PlanOptions::training(std::move(input));
  p.frozen = options.frozen;
  p.dtype = options.dtype;
  p.keep_parameter_gradients = false;
  p.seed = combine(options.seed, hash_name("dropout"));
  return p;
}

// The largest micro-batch that divides the batch and whose activations fit.
std::shared_ptr<Program> fitting_program(const Model& model, const Parameters& parameters,
                                         const Preset& preset, const TrainOptions& options,
                                         int64_t batch, int64_t micro_batch) {
  const int64_t budget = options.memory_bytes > 0 ? options.memory_bytes : free_memory() / 2;
  for (int64_t micro = micro_batch > 0 ? micro_batch : batch; micro >= 1; --micro) {
    if (batch % micro != 0) continue;
    auto program = std::make_shared<Program>(model.graph, parameters,
                                             plan_options(options, input_shape(micro, preset)));
    if (micro_batch > 0 || micro == 1 || program->arena().bytes <= budget) return program;
  }
  fail("the batch size must be at least 1, got ", batch);
}

std::string implementations_of(const Plan& plan) {
  std::string out = str_cat("threads=", threads(), ";");
  for (const auto& node : plan.profile())
    if (node.type == "conv2d") out += node.name + "=" + node.implementation + ";";
  return out;
}

class Trainer {
 public:
  Trainer(const Model& model, Parameters& parameters, const TrainData& data,
          const TrainOptions& options, const ProgressFunction& progress)
      : model_(model),
        parameters_(parameters),
        data_(data),
        options_(options),
        progress_(progress),
        batch_size_(std::min(options.batch_size, data.train.size())),
        loader_(
            data.train, data.preset, data.augmentation,
            {.batch_size = batch_size_, .seed = options.seed, .shuffle = true, .drop_last = true}) {
    require(options.epochs >= 0 && options.batch_size >= 1 && options.checkpoint_interval >= 1,
            "training: epochs, batch size and checkpoint interval must be positive");
    state_.settings = settings_of(model, data, options);
    if (!data.validation.samples.empty()) {
      const int64_t batch = std::min<int64_t>(64, data.validation.size());
      validation_loader_.emplace(data.validation, data.preset, std::nullopt,
                                 LoaderOptions{.batch_size = batch});
      validator_.emplace(model, parameters, input_shape(batch, data.preset));
    }
    std::map<std::string, Tensor> momentum = resume();
    auto program = fitting_program(model, parameters, data.preset, options, batch_size_,
                                   state_.micro_batch ? state_.micro_batch : options.micro_batch);
    state_.micro_batch = program->options().input[0];
    plan_ = std::make_unique<Plan>(program);
    sgd_ = std::make_unique<Sgd>(*plan_, options.sgd);
    if (!momentum.empty()) sgd_->restore(momentum);
    const std::string implementations = implementations_of(*plan_);
    if (result_.resumed_step > 0 && implementations != state_.implementations)
      result_.notes.push_back(
          "resumed with another number of threads, processor or oneDNN than before: the last bits "
          "of the weights may differ from an undisturbed run's");
    state_.implementations = implementations;
  }

  TrainResult run() {
    while (state_.epoch < options_.epochs && !out_of_patience()) run_epoch();
    plan_->store(parameters_);
    if (best_.size() > 0) copy_into(best_, parameters_);
    result_.epochs = state_.epochs;
    result_.best_epoch = state_.best_epoch;
    result_.skipped = loader_.skipped();
    if (validation_loader_)
      for (const auto& s : validation_loader_->skipped()) result_.skipped.push_back(s);
    return std::move(result_);
  }

 private:
  std::string path(const std::string& file) const { return options_.out + "/weights/" + file; }

  static void copy_into(const Parameters& from, Parameters& to) {
    for (const auto& [name, parameter] : from) to.set(name, parameter.value);
  }

  std::map<std::string, Tensor> resume() {
    if (options_.out.empty()) return {};
    fs::create_directories(options_.out + "/weights");
    if (!options_.resume || !fs::exists(path("last.safetensors"))) return {};
    const std::string settings = state_.settings;
    auto [state, momentum] = load_checkpoint(path("last.safetensors"), parameters_);
    require(state.settings == settings, options_.out,
            ": was trained with other options or data, so it cannot be resumed with these; use "
            "the same ones or another --out. It was: ",
            state.settings, " and now is: ", settings);
    state_ = std::move(state);
    if (state_.best_epoch > 0 && validator_) {
      best_ = parameters_.clone();
      const SafetensorsFile best = read_safetensors(path("best.safetensors"));
      load_parameters(best.tensors, best_, {.source = best.file.path, .file = &best.file});
    }
    result_.resumed_step = state_.step;
    return std::move(momentum);
  }

  void run_epoch() {
    const double start = now();
    loader_.start_epoch(state_.epoch, state_.position);
    const int64_t total = options_.epochs * loader_.batches();
    double rate = 0;
    for (Batch batch; loader_.next(batch);) {
      rate = learning_rate(options_.schedule, options_.learning_rate, state_.step, total);
      run_batch(batch, rate);
      ++state_.step;
      state_.position = loader_.position();
      report({});
      if (state_.step % options_.checkpoint_interval == 0) checkpoint();
    }
    finish_epoch(rate, now() - start);
  }

  void run_batch(const Batch& batch, double rate) {
    const int64_t micro = state_.micro_batch, classes = model_.classes;
    double weight = 0;
    for (int64_t label : batch.labels)
      weight += options_.loss.class_weights.empty()
                    ? 1.0
                    : options_.loss.class_weights.at(static_cast<size_t>(label));
    logits_.resize(static_cast<size_t>(micro * classes));
    diff_.resize(logits_.size());
    for (int64_t begin = 0; begin < batch.size(); begin += micro) {
      plan_->set_step(static_cast<uint64_t>(state_.step * batch_size_ + begin));
      plan_->run(batch.images.rows(begin, begin + micro));
      plan_->read_output("logits", logits_);
      const std::span<const int64_t> labels(batch.labels.data() + begin,
                                            static_cast<size_t>(micro));
      const double loss = softmax_cross_entropy(logits_, labels, diff_, options_.loss, weight);
      require(std::isfinite(loss), "the loss became ", loss, " at step ", state_.step, " (epoch ",
              state_.epoch + 1, "); try a lower --lr");
      if (begin + micro < batch.size())
        sgd_->accumulate(diff_);
      else
        sgd_->step(diff_, rate);
      state_.loss_sum += loss * static_cast<double>(batch.size());
      for (size_t i = 0; i < labels.size(); ++i)
        state_.correct += argmax({logits_.data() + i * static_cast<size_t>(classes),
                                  static_cast<size_t>(classes)}) == labels[i];
    }
    state_.seen += batch.size();
  }

  // The epoch's last report comes when it has been validated.
  void report(const std::optional<EpochResult>& finished) {
    if (!progress_) return;
    std::ostringstream note;
    const double seen = std::max<double>(1, static_cast<double>(state_.seen));
    note << std::fixed << std::setprecision(3) << "loss " << state_.loss_sum / seen << "  accuracy "
         << std::setprecision(1) << 100.0 * static_cast<double>(state_.correct) / seen << " %";
    if (finished && validator_)
      note << "  validation " << 100 * finished->validation_accuracy << " %";
    const int64_t total = data_.train.size();
    progress_({.task = str_cat("epoch ", state_.epoch + 1, "/", options_.epochs),
               .done = finished ? total : std::min(state_.position, total - 1),
               .total = total,
               .note = note.str()});
  }

  void finish_epoch(double rate, double seconds) {
    const double seen = std::max<double>(1, static_cast<double>(state_.seen));
    EpochResult result{.epoch = state_.epoch + 1,
                       .train_loss = state_.loss_sum / seen,
                       .train_accuracy = static_cast<double>(state_.correct) / seen,
                       .learning_rate = rate,
                       .seconds = seconds};
    plan_->store(parameters_);
    if (validator_) {
      validator_->refresh(parameters_);
      const Outputs out = validator_->run(*validation_loader_, "validating");
      const Evaluation e = evaluate_logits(out.values, out.labels);
      result.validation_loss = e.loss;
      result.validation_accuracy = e.accuracy;
    }
    const bool better = !validator_ || result.validation_accuracy > state_.best_accuracy ||
                        (result.validation_accuracy == state_.best_accuracy &&
                         result.validation_loss < state_.best_loss);
    if (better) {
      state_.best_accuracy = result.validation_accuracy;
      state_.best_loss = result.validation_loss;
      state_.best_epoch = result.epoch;
      if (validator_) best_ = parameters_.clone();
      if (!options_.out.empty())
        save_weights(path("best.safetensors"), parameters_, description(model_, data_));
    }
    report(result);
    state_.epochs.push_back(result);
    ++state_.epoch;
    state_.position = state_.correct = state_.seen = 0;
    state_.loss_sum = 0;
    checkpoint();
    write_results();
  }

  bool out_of_patience() const {
    return options_.patience > 0 && validator_ &&
           state_.epoch - state_.best_epoch >= options_.patience;
  }

  void checkpoint() {
    if (options_.out.empty()) return;
    plan_->store(parameters_);
    save_checkpoint(path("last.safetensors"), state_, parameters_, sgd_->state(),
                    description(model_, data_));
  }

  void write_results() const {
    if (options_.out.empty()) return;
    write_atomically(options_.out + "/results.csv", [&](std::ostream& csv) {
      csv << "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,"
             "seconds\n";
      for (const EpochResult& e : state_.epochs)
        csv << e.epoch << ',' << e.train_loss << ',' << e.train_accuracy << ',' << e.validation_loss
            << ',' << e.validation_accuracy << ',' << e.learning_rate << ',' << e.seconds << '\n';
    });
  }

  const Model& model_;
  Parameters& parameters_;
  const TrainData& data_;
  const TrainOptions& options_;
  const ProgressFunction& progress_;
  int64_t batch_size_;
  Loader loader_;
  std::optional<Loader> validation_loader_;
  std::optional<Predictor> validator_;
  TrainingState state_;
  TrainResult result_;
  Parameters best_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Sgd> sgd_;
  std::vector<float> logits_, diff_;
};

}  // namespace

TrainResult train(const Model& model, Parameters& parameters, const TrainData& data,
                  const TrainOptions& options, const ProgressFunction& progress) {
  return Trainer(model, parameters, data, options, progress).run();
}

}  // namespace limbic
