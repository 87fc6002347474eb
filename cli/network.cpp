#include "limbic/cli/network.h"

#include <algorithm>

#include "limbic/network/dtype_choice.h"
#include "limbic/network/predictor.h"
#include "limbic/network/read_batch.h"
#include "limbic/network/stored_case.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/compile/program.h"

namespace limbic::cli {

Check known_model(bool or_none) {
  auto names = models::model_names();
  if (or_none) names.push_back("none");
  return one_of_many("ARCH", names);
}

void NetworkOptions::add_to(const Verb& app, bool weights_required) {
  app.add_option("--model", model,
                 "architecture, such as resnet50 or squeezenet1_1 (default: the one whose tensors "
                 "the weights are)")
      .check(known_model(false));
  const Option option = app.add_option(
      "--weights", weights, "checkpoint (.safetensors, .pth, .h5), also alone in a wheel or zip");
  if (weights_required) option.required();
  app.add_option("--state", state, "which network, where the checkpoint holds several");
  app.add_option("--preset", preset, "how pictures are prepared (default: the model's)")
      .check(one_of_many("PRESET", io::preset_names()));
  app.add_option("--image-size", image_size,
                 "height and width of the network's input (0: the preset's)")
      .check(range(0, 4096));
  app.add_flag("--check", check,
               "first run the test case that `limbic convert` stored in the weights");
}

namespace {

network::Network open(const Common& common, const NetworkOptions& o,
                      const std::vector<std::string>& class_names, bool share) {
  require(!o.model.empty() || !o.weights.empty(), "--model: which network? Or give --weights");
  network::Network network = network::open_network({.model = o.model,
                                                    .state = o.state,
                                                    .weights = o.weights,
                                                    .classes = std::ssize(class_names),
                                                    .class_names = class_names,
                                                    .fresh = o.fresh,
                                                    .preset = o.preset,
                                                    .image_size = o.image_size,
                                                    .share = share,
                                                    .seed = common.seed});
  for (const std::string& remark : network.remarks) note(common, remark);
  if (o.check) network::check_stored_case(network);
  return network;
}

}  // namespace

network::Network load_network(const Common& common, const NetworkOptions& options) {
  return open(common, options, {}, true);
}

network::Network load_network(const Common& common, const NetworkOptions& options,
                              const std::vector<std::string>& class_names) {
  return open(common, options, class_names, false);
}

void require_classifier(const network::Network& network, const std::string& weights) {
  require(
      network.has_classifier, weights,
      ": has no classifier, so nothing is known of classes; extract and fit work on its features");
}

io::Dataset list_labelled(const Common& common, const std::string& dir,
                          const network::Network& network) {
  const bool named = !network.labels.empty();
  io::Dataset data = named ? io::list_dataset(dir, network.labels) : io::list_dataset(dir);
  note_left_out(common, data);
  if (named) return data;
  require(std::ssize(data.classes) == network.model.classes, dir, ": has ", data.classes.size(),
          " class folders, the network has ", network.model.classes, " classes");
  note(common, dir +
                   ": the weights do not name their classes; they are taken to be its folders in "
                   "alphabetical order");
  return data;
}

void PlanChoice::add_to(const Verb& app) {
  app.add_option("--dtype", dtype,
                 "f32; bf16 or int8 on processors that have them; auto: the fastest of those here")
      .check(one_of({"f32", "bf16", "int8", "auto"}));
  app.add_option("--agreement", agreement,
                 "auto: the share of pictures that must keep the first class that f32 gives them")
      .check(range(0.0, 1.0));
  app.add_option("--tune", tune,
                 "on: time each layer's algorithms once on this machine and remember the fastest")
      .check(one_of({"on", "off"}));
  app.add_option("--calibration", calibration,
                 "folder with pictures from which int8 takes its scales, and on which auto tries "
                 "dtypes (default: the ones given)");
}

namespace {

// Up to 64 of the pictures, spread evenly, in batches of 8; `skipped` takes those of them that
// cannot be used.
std::vector<Tensor> calibration_batches(const network::Network& network,
                                        const std::vector<std::string>& paths,
                                        std::vector<io::SkippedSample>& skipped) {
  constexpr size_t wanted = 64;
  std::vector<std::string> tried(std::min(wanted, paths.size()));
  for (size_t i = 0; i < tried.size(); ++i) tried[i] = paths[i * paths.size() / tried.size()];
  const auto [images, reasons] =
      network::read_batch(tried, network.preset, network::Unusable::leave_out);
  for (size_t i = 0; i < tried.size(); ++i)
    if (!reasons[i].empty()) skipped.push_back({tried[i], reasons[i]});
  // All batches have one shape: fewer than eight pictures are one batch, a last incomplete one
  // goes.
  const int64_t n = images.dim(0), size = std::min<int64_t>(8, n);
  std::vector<Tensor> batches;
  for (int64_t i = 0; size > 0 && i + size <= n; i += size)
    batches.push_back(images.rows(i, i + size));
  return batches;
}

}  // namespace

PlanOptions PlanChoice::options(const Common& common, const network::Network& network,
                                int64_t batch, const std::vector<std::string>& pictures,
                                std::vector<io::SkippedSample>& skipped) const {
  PlanOptions o = PlanOptions::inference(network::input_shape(batch, network.preset));
  o.tune = tune == "on";
  if (dtype == "f32") return o;
  const auto batches = [&] {
    if (calibration.empty() && dtype != "bf16")
      note(common, dtype +
                       ": scales are taken from the pictures themselves (--calibration DIR takes "
                       "them from others)");
    std::vector<io::SkippedSample> own;  // the verb names those itself
    auto out = calibration.empty()
                   ? calibration_batches(network, pictures, own)
                   : calibration_batches(network, io::pictures_below(calibration), skipped);
    require(!out.empty(), calibration.empty() ? "the pictures" : calibration,
            ": none can be read, and --dtype ", dtype, " needs some to calibrate on");
    return out;
  };
  if (dtype == "auto") {
    const auto answer =
        network::choose_dtype({network.model, network.parameters, o, batches, agreement});
    note(common, "--dtype auto: " + answer.reason);
    return answer.options;
  }
  o.dtype = network::activation_dtype(dtype);
  if (dtype == "int8")
    o.calibration = calibrate(network.model.graph, network.parameters, batches());
  const auto here = network::dtypes_here();
  PlanOptions f32 = o;
  f32.dtype = DType::f32;
  if (o.tune && std::find(here.begin(), here.end(), o.dtype) != here.end() &&
      network::fastest_plan(network.model, network.parameters, {f32, o}) == 0)
    note(common, dtype + " is slower here than f32 (--dtype auto takes the fastest)");
  return o;
}

void note_convolutions(const Common& common, const Program& program) {
  if (program.options().dtype != DType::i8) return;
  const auto count = program.convolutions();
  note(common,
       str_cat("int8: ", count.in_8_bits, " of ", count.all, " convolutions run in 8 bits"));
}

}  // namespace limbic::cli
