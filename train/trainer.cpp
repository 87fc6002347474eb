#include "limbic/train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <locale>

#include "limbic/core/cgroup.h"
#include "limbic/core/clock.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/compile/program.h"
#include "limbic/train/checkpoint.h"
#include "limbic/train/frozen_prefix.h"
#include "limbic/weights/load.h"

namespace limbic::train {
namespace {

namespace fs = std::filesystem;

constexpr int64_t most_looks = 40;

PlanOptions plan_options(const Graph& graph, const TrainOptions& options, Shape input) {
  PlanOptions p = PlanOptions::training(std::move(input));
  const auto holds = [&](const std::string& path) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
      return std::any_of(node.parameters.begin(), node.parameters.end(),
                         [&](const std::string& name) { return lies_within(name, path); });
    });
  };
  // Behind a boundary the paths before it hold nothing; without one, who names nothing is told.
  std::copy_if(options.frozen.begin(), options.frozen.end(), std::back_inserter(p.frozen),
               [&](const std::string& path) { return !options.cache_dtype || holds(path); });
  p.dtype = options.dtype;
  p.keep_parameter_gradients = false;
  p.seed = combine(options.seed, hash_name("dropout"));
  return p;
}

// The largest micro-batch up to `most` (0: whose activations fit) that divides the batch.
std::shared_ptr<Program> fitting_program(const Graph& graph, const Parameters& parameters,
                                         const Shape& picture, const TrainOptions& options,
                                         int64_t batch, int64_t most) {
  for (int64_t micro = most > 0 ? std::min(most, batch) : batch; micro >= 1; --micro) {
    if (batch % micro != 0) continue;
    Shape input = picture;
    input.insert(input.begin(), micro);
    auto program = std::make_shared<Program>(graph, parameters,
                                             plan_options(graph, options, std::move(input)));
    if (most > 0 || micro == 1 || program->memory().arena.bytes <= options.memory_bytes)
      return program;
  }
  fail("the batch size must be at least 1, got ", batch);
}

std::unique_ptr<Optimiser> optimiser_of(Plan& plan, const TrainOptions& options) {
  if (options.adam) return std::make_unique<Adam>(plan, *options.adam);
  return std::make_unique<Sgd>(plan, options.sgd);
}

std::string implementations_of(const Plan& plan) {
  std::string out = str_cat("threads=", threads(), ";");
  for (const auto& node : plan.profile())
    if (node.type == "conv2d") out += node.name + "=" + node.implementation + ";";
  return out;
}

// The layers that frozen_until names, by name.
TrainOptions expanded(const models::Model& model, TrainOptions options) {
  if (options.frozen_until.empty()) return options;
  for (std::string& layer : layers_until(model.graph, options.frozen_until))
    options.frozen.push_back(std::move(layer));
  options.frozen_until.clear();
  return options;
}

class Trainer {
 public:
  Trainer(const models::Model& model, Parameters& parameters, const TrainData& data,
          const TrainOptions& options, const ProgressFunction& progress)
      : model_(model),
        callers_(parameters),
        parameters_(parameters.clone()),
        data_(data),
        options_(expanded(model, options)),
        progress_(progress),
        loss_(options.loss),
        loader_(data.train, data.preset, data.augmentation,
                {.batch_size = options.batch_size,
                 .seed = options.seed,
                 .shuffle = true,
                 .drop_last = true}) {
    require(options.epochs >= 0 && options.checkpoint_interval >= 1 && options.micro_batch >= 0,
            "training: epochs, checkpoint interval and micro-batch must be positive");
    const auto& group = options.auxiliary.group;
    require(group.empty() ||
                (std::ssize(group) == model.classes &&
                 std::none_of(group.begin(), group.end(), [](int64_t g) { return g < 0; })),
            "training: the auxiliary loss needs a group from 0 for each of ", model.classes,
            " classes");
    look_at_pictures();
    const std::map<std::string, Tensor> momentum = resume();
    compile();
    if (!momentum.empty()) optimiser_->restore(momentum);
  }

  TrainResult run() {
    while (state_.epoch < options_.epochs && !out_of_patience()) run_epoch();
    write_results();
    plan_->store(parameters_);
    copy_values(best_.size() > 0 ? best_ : parameters_, callers_);
    result_.epochs = state_.epochs;
    result_.best_epoch = state_.best_epoch;
    result_.skipped = loader_.skipped();
    if (validation_loader_)
      for (const auto& s : validation_loader_->skipped()) result_.skipped.push_back(s);
    return std::move(result_);
  }

 private:
  std::string path(const std::string& file) const { return options_.out + "/weights/" + file; }

  void tell(const std::string& text) {
    if (options_.note)
      options_.note(text);
    else
      result_.notes.push_back(text);
  }

  // What can be used decides sizes, steps and class weights; what it shows, whether to resume.
  void look_at_pictures() {
    for (const io::Dataset* part : {&data_.train, &data_.validation})
      for (const io::Sample& s : part->samples)
        require(s.label >= 0 && s.label < model_.classes, s.path, ": label ", s.label, " of ",
                model_.classes, " classes");
    StartingPoint start{sha256_of(parameters_), loader_.keep_usable(progress_), ""};
    batch_size_ = loader_.batch_size();
    if (batch_size_ < options_.batch_size)
      tell(str_cat("batch size ", batch_size_, " for ", options_.batch_size,
                   ": no more pictures can be used"));
    const auto counts = loader_.dataset().class_counts();
    const auto n = static_cast<double>(loader_.dataset().size());
    if (options_.balance_classes) loss_.class_weights.assign(counts.size(), 1.0f);
    for (size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] == 0)
        tell("no picture of class '" + data_.train.classes[c] + "' can be used: it is not learnt");
      else if (options_.balance_classes)
        loss_.class_weights[c] = static_cast<float>(n / static_cast<double>(counts.size()) /
                                                    static_cast<double>(counts[c]));
    }
    int64_t predicted_at_once = 1;  // without validation one picture is looked at, see store_sound
    if (!data_.validation.samples.empty()) {
      validation_loader_.emplace(data_.validation, data_.preset, std::nullopt,
                                 io::LoaderOptions{.batch_size = 64});
      start.validation = validation_loader_->keep_usable(progress_);
      predicted_at_once = validation_loader_->batch_size();
    }
    state_.settings = settings_of(model_, data_, options_, start);
    use_prefix(start);
    Shape input = picture_;
    input.insert(input.begin(), predicted_at_once);
    predictor_.emplace(computed_, parameters_, PlanOptions::inference(std::move(input)));
  }

  // Of the network only what trains is computed, where all before it is frozen.
  void use_prefix(const StartingPoint& start) {
    computed_ = model_;
    picture_ = network::input_shape(1, data_.preset);
    picture_.erase(picture_.begin());
    if (options_.frozen.empty() || !options_.cache_dtype) return;
    const auto boundary = find_boundary(model_.graph, options_.frozen);
    if (!boundary) {
      tell("the frozen layers are not the network's first: they are computed in every step");
      return;
    }
    require(!options_.out.empty(), "training: a cache of frozen layers needs a folder");
    PrefixOptions o{.folder = options_.out + "/cache",
                    .dtype = *options_.cache_dtype,
                    .views = data_.augmentation ? options_.cache_views : 0,
                    .seed = options_.seed};
    prefix_.emplace(model_, parameters_, *boundary, loader_.dataset(), start.training, data_.preset,
                    data_.augmentation, o);
    int64_t bytes = prefix_->bytes();
    if (validation_loader_) {
      o.views = 0;
      validation_prefix_.emplace(model_, parameters_, *boundary, validation_loader_->dataset(),
                                 start.validation, data_.preset, std::nullopt, o);
      bytes += validation_prefix_->bytes();
    }
    tell(str_cat("all up to ", model_.graph.node(*boundary).name,
                 " is frozen: what it gives is computed once and kept in ", options_.out,
                 "/cache, ", (bytes >> 20) + 1, " MB in ", to_string(*options_.cache_dtype),
                 data_.augmentation && options_.cache_views > 0
                     ? str_cat(", ", options_.cache_views, " augmented views of each picture")
                     : ", the pictures as they are, without augmentation"));
    prefix_->fill(progress_);
    if (validation_prefix_) validation_prefix_->fill(progress_);
    computed_.graph = graph_behind(model_.graph, *boundary);
    picture_ = prefix_->shape();
  }

  std::map<std::string, Tensor> resume() {
    if (options_.out.empty()) return {};
    fs::create_directories(options_.out + "/weights");
    if (!options_.resume || !fs::exists(path("last.safetensors"))) return {};
    auto [state, momentum] =
        load_checkpoint(path("last.safetensors"), parameters_, state_.settings);
    state_ = std::move(state);
    require(batch_size_ % state_.micro_batch == 0, path("last.safetensors"), ": a micro-batch of ",
            state_.micro_batch, " does not divide the batch of ", batch_size_,
            "; the file is damaged, delete it to start afresh");
    if (state_.best_epoch > 0 && validation_loader_) {
      best_ = parameters_.clone();
      best_epoch_ = load_best(path("best.safetensors"), state_, best_);
      state_.best_epoch = best_epoch_.epoch;
    }
    result_.resumed_step = state_.step;
    return std::move(momentum);
  }

  void compile() {
    auto program = fitting_program(computed_.graph, parameters_, picture_, options_, batch_size_,
                                   state_.micro_batch ? state_.micro_batch : options_.micro_batch);
    state_.micro_batch = program->options().input[0];
    tell_micro_batch(program->memory().arena.bytes);
    plan_ = std::make_unique<Plan>(program);
    optimiser_ = optimiser_of(*plan_, options_);
    const std::string implementations = implementations_of(*plan_);
    if (result_.resumed_step > 0 && implementations != state_.implementations)
      tell(
          "resumed with another number of threads, processor or oneDNN than before: the last bits "
          "of the weights may differ from an undisturbed run's");
    state_.implementations = implementations;
  }

  void tell_micro_batch(int64_t bytes) {
    const int64_t micro = state_.micro_batch, asked = options_.micro_batch;
    std::string text = str_cat("micro-batch: ", micro, " of a batch of ", batch_size_);
    if (asked > 0 && micro != std::min(asked, batch_size_))
      text += str_cat(", which --micro-batch ", asked, " does not divide");
    if (const int64_t free = available_memory(); bytes > free)
      text += str_cat("; its activations take ", bytes >> 20, " MB and ", free >> 20,
                      " MB are free: a smaller --micro-batch takes less");
    tell(text);
  }

  void start_epoch() {
    if (prefix_)
      order_ = io::shuffle_order(loader_.dataset().size(), options_.seed, state_.epoch);
    else
      loader_.start_epoch(state_.epoch, state_.position);
  }

  // The next batch of the epoch, and the position behind it.
  bool next(io::Batch& batch) {
    if (!prefix_) {
      const bool found = loader_.next(batch);
      if (found) state_.position = loader_.position();
      return found;
    }
    if (state_.position + batch_size_ > std::ssize(order_)) return false;
    batch.indices.assign(order_.begin() + state_.position,
                         order_.begin() + state_.position + batch_size_);
    batch.labels.clear();
    for (int64_t i : batch.indices)
      batch.labels.push_back(loader_.dataset().samples[static_cast<size_t>(i)].label);
    batch.images = prefix_->read(batch.indices, state_.epoch);
    state_.position += batch_size_;
    return true;
  }

  network::Outputs validate() {
    if (!validation_prefix_) return predictor_->run(*validation_loader_, "validating");
    network::Outputs out;
    const io::Dataset& data = validation_loader_->dataset();
    const int64_t n = data.size(), batch = predictor_->plan().input_shape()[0];
    for (int64_t begin = 0; begin < n; begin += batch) {
      std::vector<int64_t> rows;
      for (int64_t i = begin; i < std::min(n, begin + batch); ++i) {
        rows.push_back(i);
        out.labels.push_back(data.samples[static_cast<size_t>(i)].label);
      }
      const Tensor values = predictor_->run(validation_prefix_->read(rows, 0));
      if (out.values.empty()) out.values = Tensor({n, values.dim(1)});
      std::copy_n(values.data(), values.size(), out.values.data() + begin * values.dim(1));
    }
    return out;
  }

  void run_epoch() {
    const double start = now();
    start_epoch();
    const int64_t total = options_.epochs * loader_.batches();
    const int64_t apart = std::max<int64_t>(1, total / most_looks);
    double rate = 0;
    for (io::Batch batch; next(batch);) {
      if (sample_.empty()) sample_ = batch.images.rows(0, 1).clone();
      rate = learning_rate(options_.schedule, options_.learning_rate, state_.step, total);
      run_batch(batch, rate);
      ++state_.step;
      report({});
      if (options_.after_look && (looks_.empty() || state_.step >= looks_.back().step + apart))
        look(batch);
      if (state_.step % options_.checkpoint_interval == 0) checkpoint();
    }
    finish_epoch(rate, now() - start);
  }

  void look(const io::Batch& batch) {
    plan_->store(parameters_);
    if (!looker_) {
      Shape input = picture_;
      input.insert(input.begin(), std::min<int64_t>(16, batch.size()));
      looker_.emplace(computed_.graph, parameters_, input, plan_->program().options().frozen, loss_,
                      options_.auxiliary);
    }
    looks_.push_back(looker_->look(state_.step, parameters_, batch.images, batch.labels));
    options_.after_look(looks_);
  }

  // Ends a training in which numbers have run away; `what` has, at the step counted from 1.
  [[noreturn]] void stop(const std::string& what, int64_t step) const {
    fail(what, " at step ", step, " (epoch ", state_.epoch + 1, "); try a lower --lr");
  }

  // Stops where some layer makes NaN or infinity of the images, and names the first.
  void stop_at_layer(Plan& plan, const Tensor& images, int64_t step) const {
    const std::string layer = plan.first_not_finite(images);
    if (!layer.empty()) stop("what " + layer + " gives became infinite", step);
  }

  void run_batch(const io::Batch& batch, double rate) {
    const int64_t micro = state_.micro_batch, classes = model_.classes, step = state_.step + 1;
    double weight = 0;
    for (int64_t label : batch.labels)
      weight += loss_.class_weights.empty()
                    ? 1.0
                    : double{loss_.class_weights.at(static_cast<size_t>(label))};
    const int64_t width = classes + options_.auxiliary.groups();
    if (logits_.size() != micro * width) logits_ = Tensor({micro, width});
    diff_.resize(static_cast<size_t>(logits_.size()));
    for (int64_t begin = 0; begin < batch.size(); begin += micro) {
      plan_->set_step(static_cast<uint64_t>(state_.step * batch_size_ + begin));
      plan_->run(batch.images.rows(begin, begin + micro));
      plan_->read_output("logits", logits_.values());
      const std::span<const int64_t> labels(batch.labels.data() + begin,
                                            static_cast<size_t>(micro));
      const double loss =
          softmax_cross_entropy(logits_, labels, diff_, loss_, weight, options_.auxiliary);
      if (!std::isfinite(loss)) {
        stop_at_layer(*plan_, batch.images.rows(begin, begin + micro), step);
        stop(str_cat("the loss became ", loss), step);
      }
      if (begin + micro < batch.size())
        optimiser_->accumulate(diff_);
      else if (const std::string bad = optimiser_->step(diff_, rate); !bad.empty())
        stop("the weights of " + bad + " became infinite", step);
      state_.loss_sum += loss * static_cast<double>(batch.size());
      for (size_t i = 0; i < labels.size(); ++i)
        state_.correct += network::argmax({logits_.data() + i * static_cast<size_t>(width),
                                           static_cast<size_t>(classes)}) == labels[i];
    }
    state_.seen += batch.size();
  }

  // Brings the weights back and makes sure that they are worth a file: all finite, running
  // statistics too, and so is what every layer makes of a picture, which with weights of 1e30 it is
  // not.
  void store_sound() {
    plan_->store(parameters_);
    const std::string bad = weights::first_not_finite(parameters_);
    if (!bad.empty()) stop("the values of " + bad + " became infinite", state_.step);
    predictor_->refresh(parameters_);
    if (sample_.empty()) return;
    stop_at_layer(predictor_->plan(), sample_, state_.step);
  }

  // The epoch's last report comes when it has been validated.
  void report(const std::optional<EpochResult>& finished) {
    if (!progress_) return;
    std::ostringstream note;
    note.imbue(std::locale::classic());
    const double seen = std::max<double>(1, static_cast<double>(state_.seen));
    note << std::fixed << std::setprecision(3) << "loss " << state_.loss_sum / seen << "  acc "
         << std::setprecision(1) << 100.0 * static_cast<double>(state_.correct) / seen << " %";
    if (finished && validation_loader_)
      note << "  val " << 100 * finished->validation_accuracy << " %";
    const int64_t total = loader_.dataset().size();
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
    store_sound();
    if (validation_loader_) {
      const network::Outputs out = validate();
      const network::Evaluation e =
          network::evaluate_logits(columns(out.values, 0, model_.classes), out.labels);
      result.validation_loss = e.loss;
      result.validation_accuracy = e.accuracy;
    }
    const bool better = !validation_loader_ || result.validation_accuracy > best_epoch_.accuracy ||
                        (result.validation_accuracy == best_epoch_.accuracy &&
                         result.validation_loss < best_epoch_.loss);
    if (better) {
      best_epoch_ = {result.epoch, result.validation_accuracy, result.validation_loss};
      state_.best_epoch = result.epoch;
      if (validation_loader_) best_ = parameters_.clone();
      if (!options_.out.empty())
        save_best(path("best.safetensors"), state_, best_epoch_, parameters_,
                  description(model_, data_));
    }
    report(result);
    state_.epochs.push_back(result);
    ++state_.epoch;
    state_.position = state_.correct = state_.seen = 0;
    state_.loss_sum = 0;
    checkpoint();
    write_results();
    if (options_.after_epoch) options_.after_epoch(state_.epochs);
  }

  bool out_of_patience() const {
    return options_.patience > 0 && validation_loader_ &&
           state_.epoch - state_.best_epoch >= options_.patience;
  }

  void checkpoint() {
    if (options_.out.empty()) return;
    store_sound();
    save_checkpoint(path("last.safetensors"), state_, parameters_, optimiser_->state(),
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

  const models::Model& model_;
  Parameters& callers_;
  Parameters parameters_;
  const TrainData& data_;
  const TrainOptions options_;
  const ProgressFunction& progress_;
  CrossEntropyOptions loss_;
  io::Loader loader_;
  int64_t batch_size_ = 0;
  std::optional<io::Loader> validation_loader_;
  models::Model computed_;  ///< The network, or what of it comes behind the frozen layers.
  Shape picture_;           ///< (C,H,W) of what it computes from.
  std::optional<PrefixRows> prefix_, validation_prefix_;
  std::vector<int64_t> order_;  ///< Of an epoch over prefix_.
  std::optional<network::Predictor> predictor_;
  Tensor sample_;  ///< (1,3,H,W), a picture of the first batch.
  TrainingState state_;
  TrainResult result_;
  Parameters best_;
  BestEpoch best_epoch_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Optimiser> optimiser_;
  std::optional<Looker> looker_;
  std::vector<Look> looks_;
  Tensor logits_;
  std::vector<float> diff_;
};

}  // namespace

double measure_step(const models::Model& model, const Parameters& parameters,
                    const io::Preset& preset, const TrainOptions& options) {
  Shape picture = network::input_shape(1, preset);
  picture.erase(picture.begin());
  TrainOptions o = expanded(model, options);
  o.cache_dtype.reset();
  auto program =
      fitting_program(model.graph, parameters, picture, o, options.batch_size, options.micro_batch);
  Plan plan(program);
  const Shape input = program->options().input;
  const auto optimiser = optimiser_of(plan, options);
  Tensor images(input), logits({input[0], model.classes});
  Random random(1, hash_name("step"));
  for (float& v : images.values()) v = static_cast<float>(random.normal());
  const std::vector<float> diff(static_cast<size_t>(logits.size()), 1e-6f);
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double start = now();
    plan.run(images);
    optimiser->step(diff, 1e-9);
    const double seconds = now() - start;
    if (i == 1 || (i == 2 && seconds < best)) best = seconds;
  }
  return best / static_cast<double>(input[0]);
}

TrainResult train(const models::Model& model, Parameters& parameters, const TrainData& data,
                  const TrainOptions& options, const ProgressFunction& progress) {
  return Trainer(model, parameters, data, options, progress).run();
}

}  // namespace limbic::train
