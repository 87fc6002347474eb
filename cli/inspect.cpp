#include <algorithm>
#include <cctype>
#include <cstdio>

#include "cli/verbs.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/io/decode.h"

namespace limbic::cli {
namespace {

struct Options {
  std::vector<std::string> files;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void inspect(const Common& common, const std::string& path) {
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
               "What is known of a picture: format, size, orientation, its pixels' hash.",
               "limbic inspect photo.jpg", o, run, common);
  verb.add_option("files", o->files, "pictures").required();
}

}  // namespace limbic::cli
