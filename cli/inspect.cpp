#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "limbic/cli/verbs.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/io/decode.h"
#include "limbic/io/formats.h"
#include "limbic/network/network.h"

namespace limbic::cli {
namespace {

struct Options {
  std::vector<std::string> files;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

using Json = nlohmann::ordered_json;

// Whether its first bytes or its name say that it is a picture.
bool is_picture(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return false;
  std::ifstream in(path, std::ios::binary);
  std::array<char, 64> head{};
  in.read(head.data(), head.size());
  const io::Bytes bytes(reinterpret_cast<const uint8_t*>(head.data()),
                        static_cast<size_t>(in.gcount()));
  if (io::format_of(bytes) || in.gcount() == 0) return true;
  std::string ending = std::filesystem::path(path).extension().string();
  ending = lower(ending);
  for (const char* known : {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".jfif", ".tif",
                            ".tiff", ".avif", ".heic"})
    if (ending == known) return true;
  return false;
}

// What is no picture and may be weights.
void inspect_weights(const Common& common, const std::string& path) {
  const weights::Checkpoint checkpoint = weights::read_checkpoint(path, {.verify = false});
  int64_t parameters = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) parameters += tensor.size();
  Json line = {{"file", path}, {"kind", "checkpoint"}, {"format", checkpoint.format}};
  const std::string model = network::recognise_model(checkpoint);
  line["model"] = model.empty() ? Json() : Json(model);
  line["states"] = checkpoint.states;
  line["tensors"] = checkpoint.tensors.size();
  line["parameters"] = parameters;
  line["classes"] = nullptr;
  std::vector<std::string> notes = checkpoint.remarks;
  if (!model.empty()) {
    const network::Network network =
        network::open_network({.model = model, .weights = path, .share = true});
    notes = network.remarks;
    if (network.has_classifier) line["classes"] = network.model.classes;
    if (!network.labels.empty()) line["labels"] = network.labels;
  } else if (!checkpoint.tensors.empty()) {
    const auto& [name, tensor] = *checkpoint.tensors.begin();
    notes.push_back(str_cat("no network here has these tensors; the first: ", name, " ",
                            to_string(tensor.dtype()), to_string(tensor.shape())));
  }
  line["notes"] = notes;
  if (common.json()) return print_json(line);
  std::printf("%s: a checkpoint (%s) of %s, %zu tensors, %ld numbers", printable(path).c_str(),
              checkpoint.format.c_str(), model.empty() ? "an unknown network" : model.c_str(),
              checkpoint.tensors.size(), parameters);
  if (line["classes"].is_number()) std::printf(", %ld classes", line["classes"].get<int64_t>());
  std::printf("\n");
  for (const std::string& text : notes) std::printf("  %s\n", printable(text).c_str());
}

void inspect(const Common& common, const std::string& path) {
  if (!is_picture(path)) return inspect_weights(common, path);
  const io::DecodedFile file = io::decode_all(read_file(path, io::most_picture_bytes), path);
  const std::string hash = sha256(file.picture.pixels);
  if (common.json()) {
    nlohmann::ordered_json line = {{"file", path},
                                   {"format", lower(file.format)},
                                   {"width", file.picture.width},
                                   {"height", file.picture.height},
                                   {"orientation", file.orientation},
                                   {"sha256_rgb", hash}};
    if (!file.damage.empty()) line["damage"] = file.damage;
    return print_json(line);
  }
  std::printf("%s: %s, %ldx%ld pixels", path.c_str(), file.format.c_str(), file.picture.width,
              file.picture.height);
  if (file.orientation != 1) std::printf(", turned by orientation %d", file.orientation);
  std::printf("\n  SHA-256 of its RGB rows: %s\n", hash.c_str());
  if (!file.damage.empty()) std::printf("  damaged: %s\n", file.damage.c_str());
}

int run(const Common& common, Options& o) {
  size_t wrong = 0;
  for (const std::string& path : o.files) {
    const std::string reason = io::reason_to_skip(path, [&] { inspect(common, path); });
    if (reason.empty()) continue;
    ++wrong;
    if (common.json())
      print_json({{"file", path}, {"error", reason}});
    else
      std::fprintf(stderr, "%s: %s\n", path.c_str(), reason.c_str());
  }
  return wrong == 0 ? done : wrong == o.files.size() ? failed : some_skipped;
}

}  // namespace

void add_inspect(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "inspect",
               "What is known of a file: of a picture its format, size, orientation, its pixels' "
               "hash; of a checkpoint its format, networks, tensors, classes.",
               "limbic inspect photo.jpg resnet18.pth", o, run, common);
  verb.add_option("files", o->files, "pictures and checkpoints").required();
}

}  // namespace limbic::cli
