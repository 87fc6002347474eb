#include "limbic/weights/checkpoint.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "limbic/core/json_numbers.h"
#include "limbic/weights/header.h"
#include "limbic/weights/npz.h"
#include "limbic/weights/pytorch/pytorch.h"
#include "limbic/weights/safetensors.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

// "safetensors, PyTorch or Keras"
std::string names_of_formats() {
  std::string out = "safetensors";
  for (const Format& format : formats())
    out += str_cat(&format == &formats().back() ? " or " : ", ", format.name);
  return out;
}

struct Sign {
  std::string_view begin, what;
};
// What other files begin with.
constexpr Sign signs[] = {{"version https://git-lfs", "a Git LFS pointer, not the file itself"},
                          {"<!DOCTYPE", "a web page (HTML): a download that failed"},
                          {"<!doctype", "a web page (HTML): a download that failed"},
                          {"<html", "a web page (HTML): a download that failed"},
                          {"<HTML", "a web page (HTML): a download that failed"},
                          {"<?xml", "XML: a download that failed, or another program's model"},
                          {"\x1f\x8b", "compressed with gzip; unpack it first"},
                          {"BZh", "compressed with bzip2; unpack it first"},
                          {"\xfd"
                           "7zXZ",
                           "compressed with xz; unpack it first"},
                          {"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"},
                          {"7z\xbc\xaf", "a 7-Zip archive; unpack it first"},
                          {"Rar!", "a RAR archive; unpack it first"},
                          {"GGUF", "GGUF, llama.cpp's format of language models"},
                          {"%PDF", "a PDF document"},
                          {"\x89PNG", "a picture (PNG)"},
                          {"\xff\xd8\xff", "a picture (JPEG)"},
                          {"\x7f"
                           "ELF",
                           "a program (ELF)"}};

// What a file that no reader knows looks like; empty if unknown.
std::string_view foreign_format(const MappedFile& file) {
  const std::string_view bytes = text_of(file);
  if (is_keras(file))
    return "Keras' (HDF5), and this build has no reader for it (CMake's LIMBIC_KERAS=ON adds it)";
  for (const Sign& sign : signs)
    if (bytes.starts_with(sign.begin)) return sign.what;
  if (is_zip(bytes)) {
    const ZipArchive archive(file);
    for (const ZipMember& m : archive.members())
      if (m.name.ends_with(".data/serialized_exprs.json") || m.name.ends_with("archive_format") ||
          m.name.ends_with("models/model.json"))
        return "a program of torch.export (.pt2); in PyTorch, torch.save(model.state_dict(), ...)";
    return "a zip archive without a checkpoint of PyTorch, safetensors or Keras in it";
  }
  if (bytes.size() < 9)
    return bytes.starts_with('\x80')
               ? "the beginning of a pickle, cut after a few bytes; fetch it again"
               : "too short for any checkpoint; fetch it again";
  if (bytes.substr(4, 4) == "TFL3") return "a model of TensorFlow Lite";
  if (bytes.starts_with("\x08") && bytes.substr(0, 256).find("\x12") != bytes.npos &&
      (bytes.substr(0, 4096).find("onnx") != bytes.npos ||
       bytes.substr(0, 256).find("pytorch") != bytes.npos ||
       bytes.substr(0, 4096).find("ai.") != bytes.npos))
    return "an ONNX model";
  if (bytes.starts_with('{'))
    return "JSON: a description and not the weights; give the file that holds them";
  if (bytes.starts_with('\x80') && bytes[8] != '{')
    return "a Python pickle that torch.save did not write";
  return {};
}

Checkpoint open_pytorch(const MappedFile& file, const ReadOptions& options) {
  PytorchFile read = parse_pytorch(file, options.state, options.verify);
  Checkpoint out{std::move(read.tensors), {}, {}, file};
  out.states = std::move(read.states);
  out.state_found = !options.state.empty() && read.wanted_found;
  if (!read.classes.empty())
    out.metadata["limbic.classes"] =
        nlohmann::json(read.classes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (!read.remark.empty()) out.remarks.push_back(std::move(read.remark));
  return out;
}

Checkpoint open_safetensors(const MappedFile& file) {
  SafetensorsFile read = parse_safetensors(file);
  Checkpoint out{std::move(read.tensors), {}, std::move(read.metadata), file};
  const bool training = out.metadata.contains("limbic.training_state");
  const auto ours = [&](const auto& entry) {
    return entry.first.starts_with("limbic.") || (training && entry.first.starts_with("momentum/"));
  };
  for (const auto& entry : out.tensors)
    if (ours(entry)) out.extras.insert(entry);
  std::erase_if(out.tensors, ours);
  return out;
}

// The only member of a zip archive that is called like a checkpoint; null if there is none.
const ZipMember* only_checkpoint(const ZipArchive& archive, const std::string& path) {
  std::vector<const ZipMember*> found;
  for (const ZipMember& member : archive.members())
    for (const char* ending :
         {".pth", ".pt", ".th", ".ckpt", ".safetensors", ".h5", ".keras", ".bin", ".pth.tar"})
      if (member.name.ends_with(ending) && member.size > 64) {
        found.push_back(&member);
        break;
      }
  require(found.size() < 2, path, ": a zip archive with ", found.size(), " checkpoints in it (",
          found.empty() ? "" : in_quotes(found[0]->name), ", ",
          found.size() < 2 ? "" : in_quotes(found[1]->name), found.size() > 2 ? " ..." : "",
          "); unpack it and give one of them");
  return found.empty() ? nullptr : found[0];
}

// A file whose reader is known, or nothing.
std::optional<Checkpoint> open_known(const MappedFile& file, const ReadOptions& options) {
  for (const Format& format : formats()) {
    if (!format.recognises(file)) continue;
    Checkpoint out = format.open(file, options);
    out.format = format.name;
    return out;
  }
  return {};
}

Checkpoint open_any(const MappedFile& file, const ReadOptions& options, bool within_archive) {
  if (auto known = open_known(file, options)) return std::move(*known);
  const std::string_view bytes = text_of(file);
  if (is_zip(bytes) && !within_archive && !is_keras(file)) {
    const ZipArchive archive(file);
    if (const ZipMember* member = only_checkpoint(archive, file.path)) {
      Checkpoint out = open_any(archive.read(*member, uint64_t{4} << 30), options, true);
      out.remarks.push_back(str_cat(file.path, ": takes ", in_quotes(member->name), " in it"));
      return out;
    }
  }
  const std::string_view foreign = foreign_format(file);
  require(foreign.empty(), file.path, ": this is ", foreign, "; expected a checkpoint of ",
          names_of_formats());
  Checkpoint out = open_safetensors(file);
  out.format = "safetensors";
  return out;
}

// "model.safetensors.index.json": which file holds which tensor.
Checkpoint open_shards(const MappedFile& index, const ReadOptions& options) {
  const auto json = try_parse_json<nlohmann::json>(text_of(index));
  std::set<std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    require(
        file.is_string() && std::filesystem::path(file.get<std::string>()).filename().string() ==
                                file.get<std::string>(),
        index.path, ": names a file that is not beside it for ", in_quotes(name));
    files.insert(file.get<std::string>());
  }
  require(files.size() <= 32, index.path, ": names ", files.size(), " files, at most 32 are read");
  Checkpoint out;
  out.file = index;
  for (const std::string& name : files) {
    const std::string path = (std::filesystem::path(index.path).parent_path() / name).string();
    Checkpoint part = open_any(map_file(path), options, true);
    out.format = part.format + " in " + std::to_string(files.size()) + " files";
    part.file.require_intact();
    for (auto& [tensor, value] : part.tensors)
      require(out.tensors.emplace(tensor, value.clone()).second, path, ": has ", in_quotes(tensor),
              ", which another file has too");
  }
  for (const auto& [name, file] : json["weight_map"].items())
    require(out.tensors.contains(name), index.path, ": ", in_quotes(name), " is not in ",
            file.get<std::string>());
  return out;
}

bool is_index(const MappedFile& file) {
  const std::string_view bytes = text_of(file);
  if (!bytes.starts_with('{') || bytes.size() > (64 << 20)) return false;
  const auto json = try_parse_json<nlohmann::json>(bytes);
  return json.is_object() && json.contains("weight_map") && json["weight_map"].is_object();
}

}  // namespace

std::vector<Format>& formats() {
  static std::vector<Format> known = {{"PyTorch", is_pytorch, open_pytorch},
                                      {"NumPy", is_npz, open_npz}};
  return known;
}

Checkpoint read_checkpoint(const std::string& path, const ReadOptions& options) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    require(!std::filesystem::exists(path + "/.metadata", error), path,
            ": a folder of torch.distributed.checkpoint; in PyTorch, "
            "torch.distributed.checkpoint.format_utils.dcp_to_torch_save makes one file of it");
    // What transformers and timm call the weights in a folder.
    for (const char* name : {"model.safetensors.index.json", "pytorch_model.bin.index.json",
                             "model.safetensors", "pytorch_model.bin"})
      if (std::filesystem::exists(path + "/" + name, error))
        return read_checkpoint(path + "/" + name, options);
    fail(path, ": is a folder, expected a file of weights");
  }
  if (path.ends_with(".distcp"))
    fail(path,
         ": a part of a folder of torch.distributed.checkpoint; in PyTorch, "
         "torch.distributed.checkpoint.format_utils.dcp_to_torch_save makes one file of it");
  return read_checkpoint(map_file(path), options);
}

Checkpoint read_checkpoint(const MappedFile& file, const ReadOptions& options) {
  return is_index(file) ? open_shards(file, options) : open_any(file, options, false);
}

bool is_keras(const MappedFile& file) {
  if (text_of(file).starts_with("\x89HDF\r\n\x1a\n")) return true;
  return is_zip(text_of(file)) && ZipArchive(file).find(keras_archived_weights) != nullptr;
}

}  // namespace limbic::weights
