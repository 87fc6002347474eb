#include <charconv>
#include <cstring>
#include <mutex>
#include <set>

#include "limbic/capi/handles.h"
#include "limbic/models/models.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"
#include "limbic/train/checkpoint.h"
#include "limbic/train/optimiser.h"
#include "limbic/weights/checkpoint.h"
#include "limbic/weights/load.h"

using namespace limbic;
using namespace limbic::capi;

namespace {

struct GraphObject : Object {
  static constexpr const char* name = "limbic_graph";
  std::mutex mutex;
  Graph graph;
  std::string model = "a graph of one's own";
};

// "kernel=3 stride=2": each read once, and none left over.
class LayerOptions {
 public:
  LayerOptions(const char* type, const char* text) : type_(type) {
    std::istringstream words(text ? text : "");
    for (std::string word; words >> word;) {
      const size_t at = word.find('=');
      check(at != word.npos && at > 0, type_, ": expected options as name=value, got '", word, "'");
      check(values_.emplace(word.substr(0, at), word.substr(at + 1)).second, type_, ": ",
            word.substr(0, at), " is given twice");
    }
  }

  template <class T>
  T take(const std::string& name, T otherwise) {
    const auto found = values_.find(name);
    if (found == values_.end()) return otherwise;
    const std::string& text = found->second;
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc() && end == text.data() + text.size(), type_, ": ", name,
          ": expected a number, got '", text, "'");
    values_.erase(found);
    return value;
  }
  int64_t need(const std::string& name) {
    check(values_.contains(name), type_, ": needs ", name, "=N");
    return take<int64_t>(name, 0);
  }
  void require_empty() const {
    check(values_.empty(), type_, ": has no option '",
          values_.empty() ? "" : values_.begin()->first, "'");
  }

 private:
  std::string type_;
  std::map<std::string, std::string> values_;
};

Pool2dOptions pool_options(LayerOptions& o) {
  Pool2dOptions p;
  const int64_t kernel = o.need("kernel");
  p.kernel_size = kernel;
  p.stride = o.take<int64_t>("stride", kernel);
  p.padding = o.take<int64_t>("padding", 0);
  return p;
}

Value add_conv2d(const Scope& scope, Value src, LayerOptions& o) {
  Conv2dOptions c;
  c.out_channels = o.need("out");
  c.kernel_size = o.need("kernel");
  c.stride = o.take<int64_t>("stride", 1);
  c.padding = o.take<int64_t>("padding", 0);
  c.dilation = o.take<int64_t>("dilation", 1);
  c.groups = o.take<int64_t>("groups", 1);
  c.bias = o.take<int>("bias", 1) != 0;
  return conv2d(scope, src, c);
}

Value add_linear(const Scope& scope, Value src, LayerOptions& o) {
  LinearOptions l;
  l.out_features = o.need("out");
  l.bias = o.take<int>("bias", 1) != 0;
  return linear(scope, src, l);
}

Value add_batch_norm(const Scope& scope, Value src, LayerOptions& o) {
  BatchNormOptions b;
  b.epsilon = o.take<double>("eps", b.epsilon);
  b.momentum = o.take<double>("momentum", b.momentum);
  return batch_norm(scope, src, b);
}

struct Layer {
  const char* type;
  size_t least, most;  // sources
  bool named;          // has parameters
  Value (*add)(const Scope& scope, const std::vector<Value>& src, LayerOptions& options);
};

using Values = std::vector<Value>;

Value add_all(const Scope&, const Values& src, LayerOptions&) {
  Value sum = src[0];
  for (size_t i = 1; i < src.size(); ++i) sum = add(sum, src[i]);
  return sum;
}

template <Value (*function)(Value)>
Value add_activation(const Scope&, const Values& src, LayerOptions&) {
  return function(src[0]);
}

constexpr Layer layers[] = {
    {"conv2d", 1, 1, true,
     [](const Scope& s, const Values& src, LayerOptions& o) { return add_conv2d(s, src[0], o); }},
    {"linear", 1, 1, true,
     [](const Scope& s, const Values& src, LayerOptions& o) { return add_linear(s, src[0], o); }},
    {"batch_norm", 1, 1, true,
     [](const Scope& s, const Values& src, LayerOptions& o) {
       return add_batch_norm(s, src[0], o);
     }},
    {"relu", 1, 1, false, add_activation<relu>},
    {"relu6", 1, 1, false, add_activation<relu6>},
    {"silu", 1, 1, false, add_activation<silu>},
    {"hard_swish", 1, 1, false, add_activation<hard_swish>},
    {"gelu", 1, 1, false, add_activation<gelu>},
    {"sigmoid", 1, 1, false, add_activation<sigmoid>},
    {"tanh", 1, 1, false, add_activation<tanh>},
    {"max_pool", 1, 1, false,
     [](const Scope&, const Values& src, LayerOptions& o) {
       return max_pool2d(src[0], pool_options(o));
     }},
    {"avg_pool", 1, 1, false,
     [](const Scope&, const Values& src, LayerOptions& o) {
       return avg_pool2d(src[0], pool_options(o));
     }},
    {"gap", 1, 1, false,
     [](const Scope&, const Values& src, LayerOptions&) { return global_avg_pool(src[0]); }},
    {"softmax", 1, 1, false,
     [](const Scope&, const Values& src, LayerOptions&) { return softmax(src[0]); }},
    {"dropout", 1, 1, false,
     [](const Scope&, const Values& src, LayerOptions& o) {
       return dropout(src[0], o.take<double>("p", 0.5));
     }},
    {"add", 2, 64, false, add_all},
    {"concat", 2, 1024, false,
     [](const Scope&, const Values& src, LayerOptions&) { return concat(src); }},
};

const Layer& find_layer(const std::string& type) {
  std::string known;
  for (const Layer& layer : layers) {
    if (type == layer.type) return layer;
    known += (known.empty() ? "" : ", ") + std::string(layer.type);
  }
  refuse(LIMBIC_INVALID, "layer '", type, "': expected one of ", known);
}

int add_layer(Graph& graph, const char* type, const char* name, const char* options,
              std::span<const int> sources) {
  const Layer& layer = find_layer(type);
  check(sources.size() >= layer.least && sources.size() <= layer.most, type, ": expected ",
        layer.least, layer.most > layer.least ? " sources or more, got " : " source, got ",
        sources.size());
  check(!layer.named || (name && *name), type, ": needs a name for its parameters");
  Values src;
  for (int node : sources) {
    check(node >= 0 && node < graph.size(), type, ": there is no node ", node);
    src.push_back({&graph, node});
  }
  LayerOptions given(type, options);
  // The options first, so that a wrong one leaves no layer behind.
  Graph attempt = graph;
  for (Value& v : src) v.graph = &attempt;
  const Scope root = attempt.root();
  const int node = layer.add(layer.named ? root / std::string(name) : root, src, given).node;
  given.require_empty();
  graph = std::move(attempt);
  return node;
}

class TrainerObject : public Object {
 public:
  static constexpr const char* name = "limbic_trainer";

  TrainerObject(const Graph& graph, std::string model, const limbic_trainer_options& o)
      : graph_(graph), model_(std::move(model)), options_(o) {
    check(o.batch > 0 && o.batch <= 65536, "batch: expected 1 to 65536, got ", o.batch);
    check(o.height > 0 && o.height <= 16384 && o.width > 0 && o.width <= 16384,
          "height and width: expected 1 to 16384, got ", o.height, " x ", o.width);
    check(o.learning_rate >= 0 && o.learning_rate < 1e30, "learning_rate: expected 0 or more, got ",
          o.learning_rate);
    check(o.momentum >= 0 && o.momentum < 1, "momentum: expected 0 up to 1, got ", o.momentum);
    check(o.weight_decay >= 0 && o.weight_decay < 1e30, "weight_decay: expected 0 or more, got ",
          o.weight_decay);
    check(graph_.labels().contains("logits"), "the graph has no node labelled 'logits'");
    input_ = {static_cast<int64_t>(o.batch), graph_.node(0).channels,
              static_cast<int64_t>(o.height), static_cast<int64_t>(o.width)};
    parameters_ = graph_.initialise(o.seed);
    PlanOptions training = PlanOptions::training(input_);
    training.seed = o.seed;
    plan_ = std::make_unique<Plan>(graph_, parameters_, training);
    sgd_ = std::make_unique<train::Sgd>(
        *plan_, train::SgdOptions{o.momentum, o.nesterov != 0, o.weight_decay});
  }

  std::mutex mutex;

  void set_rate(double rate) {
    check(rate >= 0 && rate < 1e30, "learning rate: expected 0 or more, got ", rate);
    options_.learning_rate = rate;
  }

  double step(const float* images, size_t n, const int64_t* labels) {
    check(images != nullptr && labels != nullptr && n == options_.batch, "a step takes ",
          options_.batch, " pictures with labels, got ", n);
    plan_->set_step(step_++);
    plan_->run(view(images, n));
    const Tensor logits = plan_->output("logits");
    std::vector<float> diff(static_cast<size_t>(logits.size()));
    const double loss = softmax_cross_entropy(logits, {labels, n}, diff);
    require(loss - loss == 0, "the loss is ", loss, " in step ", step_,
            "; try a smaller learning rate");
    const std::string broken = sgd_->step(diff, options_.learning_rate);
    stored_ = inferred_ = false;
    require(broken.empty(), broken, ": NaN or infinite after step ", step_,
            "; try a smaller learning rate");
    return loss;
  }

  Plan& inference(const std::string& label) {
    store();
    if (label != inference_label_) inference_.reset();
    if (!inference_) {
      PlanOptions options = PlanOptions::inference(input_);
      options.keep = {label};
      inference_ = std::make_unique<Plan>(graph_, parameters_, options);
      inference_label_ = label;
    } else if (!inferred_) {
      inference_->refresh(parameters_);
    }
    inferred_ = true;
    return *inference_;
  }
  // Of one picture.
  Shape shape(const std::string& label) const {
    Shape out = graph_.infer(input_)[static_cast<size_t>(graph_.find(label))];
    out.erase(out.begin());
    return out;
  }
  size_t width(const std::string& label) const { return static_cast<size_t>(count(shape(label))); }
  Tensor run(const float* images, size_t n, const std::string& label) {
    check(images != nullptr && n > 0 && n <= options_.batch, "expected 1 to ", options_.batch,
          " pictures, got ", n);
    Plan& plan = inference(label);
    plan.run(view(images, n));
    return plan.output(label);
  }

  const Parameters& parameters() {
    store();
    return parameters_;
  }
  Tensor gradient(const std::string& parameter) {
    require(step_ > 0, "gradient: there has been no step yet");
    return plan_->parameter_gradient(parameter);
  }
  void set(const std::string& parameter, const float* values, size_t count_) {
    store();
    const Tensor& old = parameters_.at(parameter).value;
    check(values != nullptr && count_ == static_cast<size_t>(old.size()), parameter, ": expected ",
          old.size(), " values, got ", count_);
    check(old.dtype() == DType::f32, parameter, ": is ", to_string(old.dtype()),
          ", which is counted and not set");
    parameters_.set(parameter, Tensor::of(std::span<const float>(values, count_), old.shape()));
    refresh();
  }
  void load(const std::string& path) {
    store();
    const weights::Checkpoint checkpoint = weights::read_checkpoint(path);
    weights::load_parameters(checkpoint.tensors, parameters_,
                             {.source = path, .file = &checkpoint.file});
    refresh();
  }
  void save(const std::string& path) {
    train::save_weights(path, parameters(), {{"limbic.model", model_}});
  }

 private:
  Tensor view(const float* images, size_t n) const {
    return Tensor::view(const_cast<float*>(images),
                        {static_cast<int64_t>(n), input_[1], input_[2], input_[3]}, DType::f32,
                        nullptr);
  }
  void store() {
    if (!stored_) plan_->store(parameters_);
    stored_ = true;
  }
  void refresh() {
    plan_->refresh(parameters_);
    inferred_ = false;
  }

  Graph graph_;
  std::string model_;
  limbic_trainer_options options_;
  Shape input_;
  Parameters parameters_;
  std::unique_ptr<Plan> plan_, inference_;
  std::unique_ptr<train::Sgd> sgd_;
  std::string inference_label_;
  uint64_t step_ = 0;
  bool stored_ = true, inferred_ = false;  // parameters_ and inference_ are of the last step
};

// One call after another for one graph or trainer.
template <class T, class Body>
limbic_status with(const void* handle, Body&& body) {
  return guarded([&] {
    const auto object = find<T>(handle);
    const std::lock_guard lock(object->mutex);
    body(*object);
  });
}

const Parameter& parameter_of(TrainerObject& trainer, const char* name) {
  check(name != nullptr, "parameter: the name is null");
  return trainer.parameters().at(name);
}

void copy_out(const Tensor& from, float* to, size_t count_, const char* name) {
  check_room(to, count_, static_cast<size_t>(from.size()), name);
  if (from.dtype() == DType::f32)
    std::memcpy(to, from.raw(), static_cast<size_t>(from.bytes()));
  else  // num_batches_tracked
    std::copy_n(from.data<int64_t>(), from.size(), to);
}

}  // namespace

limbic_status limbic_graph_new(size_t channels, limbic_graph** graph) {
  return guarded([&] {
    check(graph != nullptr && channels > 0 && channels <= 65536,
          "channels: expected 1 to 65536, got ", channels);
    auto object = std::make_shared<GraphObject>();
    object->graph.input(static_cast<int64_t>(channels));
    *graph = static_cast<limbic_graph*>(give(std::move(object)));
  });
}

limbic_status limbic_graph_of(const char* model, size_t classes, limbic_graph** graph) {
  return guarded([&] {
    check(model != nullptr && graph != nullptr, "limbic_graph_of: null arguments");
    check(classes > 0 && classes <= 1000000, "classes: expected 1 to 1000000, got ", classes);
    auto object = std::make_shared<GraphObject>();
    object->graph = models::build_model(model, static_cast<int64_t>(classes)).graph;
    object->model = model;
    *graph = static_cast<limbic_graph*>(give(std::move(object)));
  });
}

limbic_status limbic_graph_free(limbic_graph* graph) {
  return guarded([&] { release<GraphObject>(graph); });
}

limbic_status limbic_graph_add(limbic_graph* graph, const char* type, const char* name,
                               const char* options, const int* sources, size_t sources_count,
                               int* node) {
  return with<GraphObject>(graph, [&](GraphObject& g) {
    check(type != nullptr && sources != nullptr && node != nullptr,
          "limbic_graph_add: null arguments");
    *node = add_layer(g.graph, type, name, options, {sources, sources_count});
  });
}

limbic_status limbic_graph_label(limbic_graph* graph, const char* label, int node) {
  return with<GraphObject>(graph, [&](GraphObject& g) {
    check(label != nullptr && *label, "label: is empty");
    check(node >= 0 && node < g.graph.size(), "label: there is no node ", node);
    g.graph.label(label, {&g.graph, node});
  });
}

limbic_status limbic_graph_channels(limbic_graph* graph, int node, size_t* channels) {
  return with<GraphObject>(graph, [&](GraphObject& g) {
    check(channels != nullptr, "channels: is null");
    check(node >= 0 && node < g.graph.size(), "there is no node ", node);
    *channels = static_cast<size_t>(g.graph.node(node).channels);
  });
}

limbic_status limbic_trainer_new(limbic_graph* graph, const limbic_trainer_options* options,
                                 limbic_trainer** trainer) {
  return with<GraphObject>(graph, [&](GraphObject& g) {
    check(options != nullptr && trainer != nullptr, "limbic_trainer_new: null arguments");
    const auto o = taken(options, sizeof *options, "limbic_trainer_options");
    *trainer =
        static_cast<limbic_trainer*>(give(std::make_shared<TrainerObject>(g.graph, g.model, o)));
  });
}

limbic_status limbic_trainer_free(limbic_trainer* trainer) {
  return guarded([&] { release<TrainerObject>(trainer); });
}

limbic_status limbic_trainer_set_learning_rate(limbic_trainer* trainer, double rate) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) { t.set_rate(rate); });
}

limbic_status limbic_trainer_step(limbic_trainer* trainer, const float* images, size_t n,
                                  const int64_t* labels, double* loss) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    const double value = t.step(images, n, labels);
    if (loss) *loss = value;
  });
}

limbic_status limbic_trainer_run(limbic_trainer* trainer, const float* images, size_t n,
                                 const char* label, float* out, size_t count) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(label != nullptr, "label: is null");
    check_room(out, count, n * t.width(label), "out");
    copy_out(t.run(images, n, label), out, count, "out");
  });
}

limbic_status limbic_trainer_width(limbic_trainer* trainer, const char* label, size_t* width) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(label != nullptr && width != nullptr, "limbic_trainer_width: null arguments");
    *width = t.width(label);
  });
}

limbic_status limbic_trainer_shape(limbic_trainer* trainer, const char* label, int64_t shape[8],
                                   size_t* rank) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(label != nullptr && shape != nullptr && rank != nullptr,
          "limbic_trainer_shape: null arguments");
    const Shape own = t.shape(label);
    std::copy(own.begin(), own.end(), shape);
    *rank = own.size();
  });
}

const char* limbic_parameter_name(limbic_trainer* trainer, size_t index) {
  const char* name = nullptr;
  with<TrainerObject>(trainer, [&](TrainerObject& t) {
    const Parameters& all = t.parameters();
    if (index < static_cast<size_t>(all.size()))
      name = std::next(all.begin(), static_cast<std::ptrdiff_t>(index))->first.c_str();
  });
  return name;
}

limbic_status limbic_parameter_shape(limbic_trainer* trainer, const char* name, int64_t shape[8],
                                     size_t* rank) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(shape != nullptr && rank != nullptr, "limbic_parameter_shape: null arguments");
    const Shape& own = parameter_of(t, name).value.shape();
    std::copy(own.begin(), own.end(), shape);
    *rank = own.size();
  });
}

limbic_status limbic_parameter_get(limbic_trainer* trainer, const char* name, float* values,
                                   size_t count) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    copy_out(parameter_of(t, name).value, values, count, name);
  });
}

limbic_status limbic_parameter_gradient(limbic_trainer* trainer, const char* name, float* values,
                                        size_t count) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    parameter_of(t, name);
    copy_out(t.gradient(name), values, count, name);
  });
}

limbic_status limbic_parameter_set(limbic_trainer* trainer, const char* name, const float* values,
                                   size_t count) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(name != nullptr, "parameter: the name is null");
    t.set(name, values, count);
  });
}

limbic_status limbic_trainer_save(limbic_trainer* trainer, const char* path) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(path != nullptr, "path: is null");
    t.save(path);
  });
}

limbic_status limbic_trainer_load(limbic_trainer* trainer, const char* path) {
  return with<TrainerObject>(trainer, [&](TrainerObject& t) {
    check(path != nullptr, "path: is null");
    t.load(path);
  });
}
