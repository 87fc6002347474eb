#include <cstdio>
#include <filesystem>

#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/network/stored_case.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  std::string out, dtype = "f32";
  bool no_case = false;
};

int run(const Common& common, Options& o) {
  require_writable(o.out);
  std::error_code error;
  require(!std::filesystem::equivalent(o.network.weights, o.out, error), o.out,
          ": is the file that is converted; choose another name");
  network::Network network = load_network(common, o.network);
  require_classifier(network, o.network.weights);
  for (const models::HiddenLayer& layer : network.model.hidden)
    require(layer.relu, o.network.weights,
            ": its classifier has layers without an activation between them, which a converted "
            "file cannot say");
  const DType dtype = o.dtype == "bf16" ? DType::bf16 : o.dtype == "f16" ? DType::f16 : DType::f32;
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, parameter] : network.parameters)
    tensors[name] = dtype != DType::f32 && parameter.value.dtype() == DType::f32
                        ? weights::to_half(parameter.value, dtype, name)
                        : parameter.value;
  // The stored case is computed with the weights as they will be read back.
  if (dtype != DType::f32) weights::load_parameters(tensors, network.parameters);
  if (!o.no_case) tensors.merge(network::make_stored_case(network.model, network.parameters));
  std::map<std::string, std::string> metadata = {
      {"limbic.model", network.model.name},
      {"limbic.preset", io::to_json(network.preset)},
      {"limbic.source", std::filesystem::path(o.network.weights).filename().string()},
      {"limbic.source_sha256", sha256(network.file.bytes)}};
  if (!network.labels.empty()) metadata["limbic.classes"] = nlohmann::json(network.labels).dump();
  network.file.require_intact();
  weights::write_safetensors(o.out, tensors, metadata);
  if (common.json())
    print_json({{"file", o.out},
                {"model", network.model.name},
                {"tensors", network.parameters.size()},
                {"parameters", network.parameters.trainable_elements()},
                {"dtype", o.dtype},
                {"bytes", file_size(o.out)}});
  else
    std::printf("%s: %ld tensors of %s, %ld parameters, %s, %.1f MB\n", o.out.c_str(),
                network.parameters.size(), network.model.name.c_str(),
                network.parameters.trainable_elements(), o.dtype.c_str(),
                static_cast<double>(file_size(o.out)) / 1e6);
  return done;
}

}  // namespace

void add_convert(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "convert",
               "Any checkpoint to .safetensors under torchvision's names (Keras networks: under "
               "Keras' layer "
               "names), with its preset and a test case for `limbic verify`.",
               "limbic convert resnet101-63fe2227.pth resnet101.safetensors --model resnet101", o,
               run, common);
  verb.add_option("in", o->network.weights, "checkpoint (.pth, .h5, .keras, .safetensors)")
      .required();
  verb.add_option("out", o->out, "file to write").required();
  verb.add_option("--model", o->network.model, "architecture (default: whose tensors they are)")
      .check(known_model(false));
  verb.add_option("--state", o->network.state, "which network, where the file holds several");
  verb.add_flag("--no-case", o->no_case,
                "leave the test case out, so that other libraries load the file strictly");
  verb.add_option("--preset", o->network.preset,
                  "how pictures are prepared (default: the published file's, else the model's)")
      .check(one_of_many("PRESET", io::preset_names()));
  verb.add_option("--dtype", o->dtype, "of the stored weights; bf16 and f16 halve the file")
      .check(one_of({"f32", "bf16", "f16"}));
}

}  // namespace limbic::cli
