#include "limbic/train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <locale>
#include <sstream>

#include "limbic/core/cgroup.h"
#include "limbic/core/clock.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/core/version.h"
#include "limbic/hash/hash.h"
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
                                         int64_t batch, int64_t most,
                                         std::function<void(std::span<double>)> reduction = {}) {
  for (int64_t micro = most > 0 ? std::min(most, batch) : batch; micro >= 1; --micro) {
    if (batch % micro != 0) continue;
    Shape input = picture;
    input.insert(input.begin(), micro);
    PlanOptions o = plan_options(graph, options, std::move(input));
    o.reduce_statistics = reduction;
    auto program = std::make_shared<Program>(graph, parameters, std::move(o));
    if (most > 0 || micro == 1 || program->memory().arena.bytes <= options.memory_bytes)
      return program;
  }
  fail("the batch size must be at least 1, got ", batch);
}

// A batch norm's, of which each process has its own.
bool is_running_statistic(const std::string& name, const Parameter& p) {
  return p.value.dtype() == DType::f32 &&
         (name.ends_with("running_mean") || name.ends_with("running_var"));
}

std::unique_ptr<Optimiser> optimiser_of(Plan& plan, const TrainOptions& options) {
  if (options.adam) return std::make_unique<Adam>(plan, *options.adam);
  return std::make_unique<Sgd>(plan, options.sgd);
}

// What computes each convolution.
std::string convolutions_of(const Plan& plan) {
  std::string out;
  for (const auto& node : plan.profile())
    if (node.type == "conv2d") out += node.name + "=" + node.implementation + ";";
  return out;
}

// Processors of different kinds keep parameters in different layouts.
std::string layouts_of(const Plan& plan) {
  std::string out = convolutions_of(plan);
  for (const PackedParameter& p : plan.program().packed())
    out += str_cat(p.name, p.value.size(), ";");
  return out;
}

std::string implementations_of(const Plan& plan) {
  return str_cat("threads=", threads(), ";", convolutions_of(plan));
}

// The layers that frozen_until names, by name.
TrainOptions expanded(const models::Model& model, TrainOptions options) {
  if (options.frozen_until.empty()) return options;
  for (std::string& layer : layers_until(model.graph, options.frozen_until))
    options.frozen.push_back(std::move(layer));
  options.frozen_until.clear();
  return options;
}

// One process alone.
Communicator& alone() {
  static Communicator communicator;
  return communicator;
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
        together_(options.communicator ? *options.communicator : alone()),
        loss_(options.loss),
        loader_(data.train, data.preset, data.augmentation,
                {.batch_size = options.batch_size, .seed = options.seed}) {
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
    agree();
    if (!momentum.empty()) optimiser_->restore(momentum);
  }

  TrainResult run() {
    while (state_.epoch < options_.epochs && !out_of_patience()) run_epoch();
    write_results();
    if (!options_.out.empty()) together_.end_run();
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
    if (together_.size() > 1) options_.cache_dtype.reset();  // no rank has all of its rows
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

  // A file of the run, where it goes on with one: rank 0's own, of which the others get a copy.
  struct OwnCopy {
    std::string path;
    bool temporary = false;
    OwnCopy(std::string p, bool t) : path(std::move(p)), temporary(t) {}
    OwnCopy(OwnCopy&& other) noexcept
        : path(other.path), temporary(std::exchange(other.temporary, false)) {}
    ~OwnCopy() {
      if (temporary) ::unlink(path.c_str());
    }
  };
  std::optional<OwnCopy> from_leader(const std::string& file) {
    std::vector<uint8_t> bytes;
    if (together_.leads() && options_.resume && fs::exists(path(file))) {
      if (together_.size() == 1) return OwnCopy(path(file), false);
      bytes = read_file(path(file));
    }
    together_.broadcast(bytes);
    if (bytes.empty()) return std::nullopt;
    if (together_.leads()) return OwnCopy(path(file), false);
    const std::string own = str_cat(fs::temp_directory_path().string(), "/limbic-", ::getpid(), "-",
                                    together_.rank(), "-", file);
    write_atomically(own, [&](std::ostream& out) {
      out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    });
    return OwnCopy(own, true);
  }

  std::map<std::string, Tensor> resume() {
    if (options_.out.empty()) return {};
    fs::create_directories(options_.out + "/weights");
    const std::string stopped = together_.begin_run(options_.out);
    if (options_.resume && !stopped.empty()) tell("the run before this one ended: " + stopped);
    const std::optional<OwnCopy> last = from_leader("last.safetensors");
    if (!last) return {};
    auto [state, momentum] = load_checkpoint(last->path, parameters_, state_.settings);
    state_ = std::move(state);
    require(together_.size() > 1 || batch_size_ % state_.micro_batch == 0, last->path,
            ": a micro-batch of ", state_.micro_batch, " does not divide the batch of ",
            batch_size_, "; the file is damaged, delete it to start afresh");
    if (state_.best_epoch > 0 && validation_loader_) {
      best_ = parameters_.clone();
      const std::optional<OwnCopy> best = from_leader("best.safetensors");
      best_epoch_ = load_best(best ? best->path : path("best.safetensors"), state_, best_);
      state_.best_epoch = best_epoch_.epoch;
    }
    result_.resumed_step = state_.step;
    return std::move(momentum);
  }

  void compile() {
    const int64_t own = share_of(batch_size_, together_).size();
    require(batch_size_ >= together_.size(), "training: a batch of ", batch_size_, " pictures for ",
            together_.size(), " ranks: start fewer, or take a larger --batch-size");
    const int64_t stored = together_.size() > 1 ? 0 : state_.micro_batch;
    auto program = fitting_program(computed_.graph, parameters_, picture_, options_, own,
                                   stored ? stored : options_.micro_batch, reduction());
    state_.micro_batch = program->options().input[0];
    require(!options_.sync_batch_norm || state_.micro_batch == own,
            "training: with --sync-bn a rank computes its share of ", own,
            " pictures at once, which takes more memory than it may; start more ranks, or take a "
            "smaller --batch-size");
    tell_micro_batch(program->memory().arena.bytes);
    plan_ = std::make_unique<Plan>(program);
    optimiser_ = optimiser_of(*plan_, options_);
    if (together_.size() > 1 || options_.keep_last_batch) exchange_options_ = options_.exchange;
    std::string implementations = implementations_of(*plan_);
    if (together_.size() > 1) implementations += str_cat("ranks=", together_.size(), ";");
    if (result_.resumed_step > 0 && implementations != state_.implementations)
      tell(
          "resumed with another number of threads, processor or oneDNN than before: the last bits "
          "of the weights may differ from an undisturbed run's");
    state_.implementations = implementations;
  }

  // What batch norm does with its sums, where its batch lies in several processes. A rank without
  // pictures of its own runs along and adds nothing.
  std::function<void(std::span<double>)> reduction() {
    if (!options_.sync_batch_norm || together_.size() == 1) return {};
    return [this](std::span<double> sums) {
      if (idle_) std::fill(sums.begin(), sums.end(), 0.0);
      together_.all_reduce_sum(sums);
    };
  }

  // What rank 0 and the first rank that differs from it say, where one does: all ranks find the
  // same.
  struct Difference {
    size_t rank;
    std::string own, first;
  };
  std::optional<Difference> find_difference(const std::string& own) {
    const std::vector<std::string> all = together_.gather(own);
    for (size_t r = 1; r < all.size(); ++r)
      if (all[r] != all[0]) return Difference{r, all[r], all[0]};
    return std::nullopt;
  }

  // All ranks must be about to do the same; who is not says so.
  void agree() {
    if (together_.size() == 1) return;
    if (const auto d = find_difference(version()))
      fail("rank ", d->rank, " runs Limbic ", d->own, ", rank 0 ", d->first);
    if (const auto d = find_difference(state_.settings))
      fail("rank ", d->rank, " was given something else than rank 0: ",
           differences(d->first, d->own, " is ", " there, its own is "));
    if (const auto d = find_difference(std::to_string(state_.step)))
      fail("rank ", d->rank, " begins at step ", d->own, ", rank 0 at ", d->first);
    if (find_difference(layouts_of(*plan_))) {
      exchange_options_->canonical = true;
      tell(
          "the ranks' processors keep weights in different layouts: gradients travel in the "
          "weights' own");
    }
  }

  // The processes must have the same weights after every step.
  void check_divergence() {
    if (together_.size() == 1) return;
    std::string own;
    for (const auto& [name, p] : parameters_)
      if (p.trainable)
        own += sha256({reinterpret_cast<const uint8_t*>(p.value.raw()),
                       static_cast<size_t>(p.value.bytes())});
    if (const auto d = find_difference(sha256_of_text(own)))
      fail("rank ", d->rank, " has other weights than rank 0 after step ", state_.step,
           "; the last checkpoint is whole, --resume goes on from it");
  }

  // Each rank's running statistics are of its own pictures; their mean is all ranks'.
  void average_statistics() {
    if (together_.size() == 1 || options_.sync_batch_norm) return;
    std::vector<double> sums;
    for (const auto& [name, p] : parameters_)
      if (is_running_statistic(name, p))
        for (const float x : p.value.values()) sums.push_back(double{x});
    together_.all_reduce_sum(sums);
    size_t at = 0;
    for (const auto& [name, p] : parameters_)
      if (is_running_statistic(name, p)) {
        Tensor mean = p.value.clone();
        for (float& x : mean.values()) x = static_cast<float>(sums[at++] / together_.size());
        parameters_.set(name, mean);
      }
    plan_->refresh(parameters_);
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

  // The pictures of an epoch in one order for all ranks; a rank reads its share of each batch.
  void start_epoch() {
    order_ = io::shuffle_order(loader_.dataset().size(), options_.seed, state_.epoch);
    if (prefix_) return;
    std::vector<int64_t> own;
    for (int64_t begin = state_.position; begin < std::ssize(order_); begin += batch_size_) {
      const Share share = share_of(std::min(batch_size_, std::ssize(order_) - begin), together_);
      for (int64_t i = share.begin; i < share.end; ++i)
        own.push_back(order_[static_cast<size_t>(begin + i)]);
    }
    loader_.start_epoch(state_.epoch, std::move(own));
  }

  int64_t batches() const {
    const int64_t n = loader_.dataset().size();
    return options_.keep_last_batch ? (n + batch_size_ - 1) / batch_size_ : n / batch_size_;
  }

  // A batch, of which this process has a share.
  struct SharedBatch {
    int64_t size = 0;   ///< Of all processes.
    int64_t begin = 0;  ///< Where the share begins.
    double weight = 0;  ///< What the loss of all is divided by.
    io::Batch own;
  };

  // The next batch of the epoch, and the position behind it.
  bool next(SharedBatch& batch) {
    batch.size = std::min(batch_size_, std::ssize(order_) - state_.position);
    if (batch.size <= 0 || (batch.size < batch_size_ && !options_.keep_last_batch)) return false;
    const auto label = [&](int64_t i) {
      return loader_.dataset().samples[static_cast<size_t>(order_[static_cast<size_t>(i)])].label;
    };
    batch.weight = 0;
    for (int64_t i = 0; i < batch.size; ++i)
      batch.weight +=
          loss_.class_weights.empty()
              ? 1.0
              : double{loss_.class_weights.at(static_cast<size_t>(label(state_.position + i)))};
    const Share share = share_of(batch.size, together_);
    batch.begin = share.begin;
    batch.own.labels.clear();
    batch.own.indices.clear();
    if (prefix_) {
      const auto first = order_.begin() + state_.position;
      batch.own.indices.assign(first + share.begin, first + share.end);
      for (int64_t i = share.begin; i < share.end; ++i)
        batch.own.labels.push_back(label(state_.position + i));
      batch.own.images = prefix_->read(batch.own.indices, state_.epoch);
    } else if (share.size() > 0) {
      require(loader_.next(batch.own, share.size()), "training: the epoch ended early");
    }
    state_.position += batch.size;
    return true;
  }

  // Each rank computes every size-th picture; the sums of all, zeros elsewhere, are the rows.
  network::Outputs validate_together() {
    const io::Dataset& data = validation_loader_->dataset();
    const int64_t width = model_.classes + options_.auxiliary.groups();
    std::vector<int64_t> own;
    for (int64_t i = together_.rank(); i < data.size(); i += together_.size()) own.push_back(i);
    std::vector<double> rows(static_cast<size_t>(data.size() * width));
    validation_loader_->start_epoch(0, std::move(own));
    for (io::Batch batch; validation_loader_->next(batch);) {
      const Tensor values = predictor_->run(batch.images);
      for (int64_t i = 0; i < batch.size(); ++i)
        std::copy_n(values.data() + i * width, width,
                    rows.begin() + batch.indices[static_cast<size_t>(i)] * width);
    }
    together_.all_reduce_sum(rows);
    network::Outputs out{Tensor({data.size(), width}), {}, {}};
    std::transform(rows.begin(), rows.end(), out.values.data(),
                   [](double x) { return static_cast<float>(x); });
    for (const io::Sample& s : data.samples) out.labels.push_back(s.label);
    return out;
  }

  network::Outputs validate() {
    if (together_.size() > 1) return validate_together();
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
    const int64_t total = options_.epochs * batches();
    const int64_t apart = std::max<int64_t>(1, total / most_looks);
    double rate = 0;
    for (SharedBatch batch; next(batch);) {
      if (sample_.empty() && batch.own.size() > 0) sample_ = batch.own.images.rows(0, 1).clone();
      rate = learning_rate(options_.schedule, options_.learning_rate, state_.step, total);
      run_batch(batch, rate);
      ++state_.step;
      report({});
      if (options_.after_look && batch.own.size() > 0 &&
          (looks_.empty() || state_.step >= looks_.back().step + apart))
        look(batch.own);
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

  // A plan for fewer pictures than a step usually has; weights and running statistics go over to it
  // and back.
  Plan& plan_for(int64_t pictures) {
    if (pictures == state_.micro_batch) return *plan_;
    std::unique_ptr<Plan>& plan = smaller_plans_[pictures];
    if (!plan) {
      Shape input = picture_;
      input.insert(input.begin(), pictures);
      PlanOptions o = plan_options(computed_.graph, options_, std::move(input));
      o.reduce_statistics = reduction();
      plan = std::make_unique<Plan>(computed_.graph, parameters_, std::move(o));
    }
    plan_->store(parameters_);
    plan->refresh(parameters_);
    return *plan;
  }

  // Forward of some pictures of the batch; leaves the gradient of the loss in diff_.
  void run_pictures(Plan& plan, const SharedBatch& batch, int64_t begin, int64_t pictures,
                    double sums[2]) {
    const int64_t classes = model_.classes, step = state_.step + 1;
    const int64_t width = classes + options_.auxiliary.groups();
    if (logits_.shape() != Shape{pictures, width}) logits_ = Tensor({pictures, width});
    diff_.resize(static_cast<size_t>(logits_.size()));
    const Tensor images = batch.own.images.rows(begin, begin + pictures);
    plan.set_step(static_cast<uint64_t>(state_.step * batch_size_ + batch.begin + begin));
    plan.run(images);
    plan.read_output("logits", logits_.values());
    const std::span<const int64_t> labels(batch.own.labels.data() + begin,
                                          static_cast<size_t>(pictures));
    const double loss =
        softmax_cross_entropy(logits_, labels, diff_, loss_, batch.weight, options_.auxiliary);
    if (!std::isfinite(loss)) {
      stop_at_layer(plan, images, step);
      stop(str_cat("the loss became ", loss), step);
    }
    sums[0] += loss;
    for (size_t i = 0; i < labels.size(); ++i)
      sums[1] += network::argmax({logits_.data() + i * static_cast<size_t>(width),
                                  static_cast<size_t>(classes)}) == labels[i];
  }

  // One process and full batches: gradients go from backward into the weights.
  std::string step_alone(const SharedBatch& batch, double rate, double sums[2]) {
    const int64_t micro = state_.micro_batch;
    for (int64_t begin = 0;; begin += micro) {
      run_pictures(*plan_, batch, begin, micro, sums);
      if (begin + micro == batch.own.size()) return optimiser_->step(diff_, rate);
      optimiser_->accumulate(diff_);
    }
  }

  std::string step_together(const SharedBatch& batch, double rate, double sums[2]) {
    if (!exchange_) exchange_.emplace(*plan_, together_, *exchange_options_);
    exchange_->clear();
    const int64_t n = batch.own.size();
    for (int64_t begin = 0; begin < n;) {
      const int64_t pictures = std::min(state_.micro_batch, n - begin);
      Plan& plan = plan_for(pictures);
      run_pictures(plan, batch, begin, pictures, sums);
      exchange_->add(plan, diff_, begin + pictures == n);
      if (&plan != plan_.get()) {  // its running statistics are the newer ones
        plan.store(parameters_);
        plan_->refresh(parameters_);
      }
      begin += pictures;
    }
    if (n == 0 && options_.sync_batch_norm) run_along();
    exchange_->finish();
    together_.all_reduce_sum({sums, 2});
    return optimiser_->step(*exchange_, rate);
  }

  // A rank without pictures: batch norm's sums need all ranks, and it adds nothing to them.
  void run_along() {
    idle_ = true;
    plan_->run(Tensor(plan_->input_shape()));
    diff_.assign(static_cast<size_t>(plan_->output("logits").size()), 0.0f);
    plan_->backward(diff_);
    idle_ = false;
  }

  void run_batch(const SharedBatch& batch, double rate) {
    together_.at_step(state_.step + 1);
    double sums[2] = {0, 0};  // the loss, which is divided already, and pictures that were right
    const std::string bad =
        exchange_options_ ? step_together(batch, rate, sums) : step_alone(batch, rate, sums);
    if (!bad.empty()) stop("the weights of " + bad + " became infinite", state_.step + 1);
    state_.loss_sum += sums[0] * static_cast<double>(batch.size);
    state_.correct += static_cast<int64_t>(sums[1]);
    state_.seen += batch.size;
    if (options_.after_step) options_.after_step(state_.step + 1, sums[0]);
  }

  // Brings the weights back and makes sure that they are worth a file: all finite, running
  // statistics too, and so is what every layer makes of a picture, which with weights of 1e30 it is
  // not.
  void store_sound() {
    plan_->store(parameters_);
    average_statistics();
    check_divergence();
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
      if (!options_.out.empty() && together_.leads())
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
    if (!together_.leads()) return;
    save_checkpoint(path("last.safetensors"), state_, parameters_, optimiser_->state(),
                    description(model_, data_));
  }

  void write_results() const {
    if (options_.out.empty() || !together_.leads()) return;
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
  TrainOptions options_;
  const ProgressFunction& progress_;
  Communicator& together_;
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
  std::optional<ExchangeOptions> exchange_options_;  ///< Where a step is more than one plan's.
  std::optional<GradientExchange> exchange_;
  std::map<int64_t, std::unique_ptr<Plan>> smaller_plans_;  ///< By their number of pictures.
  bool idle_ = false;
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
