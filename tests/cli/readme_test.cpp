// README.md typed word by word, from the top: every line of its sections about one's own photos
// that begins with `limbic`, in their order, in a folder where the files lie that it names.
#include "tests/cli/world.h"

namespace limbic::testing {
namespace {

// The commands of a section, without what follows # and with lines joined that end in a backslash.
std::vector<std::string> commands_of(const std::string& section) {
  const std::string readme = source_text("README.md");
  const size_t begin = readme.find("\n" + section + "\n");
  REQUIRE(begin != std::string::npos);
  const size_t level = section.find(' ');
  const size_t end = readme.find("\n" + section.substr(0, level) + " ", begin + section.size());
  std::istringstream lines(readme.substr(begin, end - begin));
  std::vector<std::string> out;
  bool goes_on = false;
  for (std::string line; std::getline(lines, line);) {
    if (!goes_on && !line.starts_with("    limbic ")) continue;
    line = line.substr(line.find_first_not_of(' '));
    if (!goes_on) out.emplace_back();
    goes_on = line.ends_with('\\');
    if (goes_on) line.pop_back();
    out.back() += line.substr(0, line.find("  #"));
  }
  return out;
}

// 24 photos of each of two classes to learn from and 8 more: real ones where they are to be had.
void lay_out_photos(const fs::path& folder) {
  const fs::path real = LIMBIC_SOURCE_DIR "/../shared/data/images/hymenoptera";
  const bool there = fs::exists(real);
  if (!there) MESSAGE("skips: no real photos, coloured noise in their place");
  for (const auto& [part, from, count] :
       {std::tuple{"photos", "train", 24}, std::tuple{"more-photos", "val", 8}})
    for (const std::string name : {"ants", "bees"}) {
      fs::create_directories(folder / part / name);
      std::vector<fs::path> files;
      if (there)
        for (const auto& entry : fs::directory_iterator(real / from / name))
          files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      for (int i = 0; i < count; ++i) {
        if (there) {
          const fs::path& file = files[static_cast<size_t>(i)];
          fs::copy_file(file, folder / part / name / file.filename());
          continue;
        }
        io::Picture p =
            random_picture(80, 70, static_cast<uint64_t>(i) + (name == "ants" ? 0 : 99));
        for (size_t at = name == "ants" ? 0 : 1; at < p.pixels.size(); at += 3) p.pixels[at] /= 4;
        write_png((folder / part / name / str_cat(i, ".png")).string(), p);
      }
    }
  const auto any = *fs::directory_iterator(folder / "more-photos/ants");
  fs::copy_file(any.path(), folder / "holiday.jpg");
}

void lay_out_weights(const fs::path& folder) {
  const fs::path real = LIMBIC_SOURCE_DIR "/../shared/data/weights/squeezenet1_1.safetensors";
  const fs::path to = folder / "squeezenet1_1.safetensors";
  if (fs::exists(real)) {
    fs::copy_file(real, to);
    return;
  }
  const Result trained = world().run(
      "train --quiet --data readme/photos --model squeezenet1_1 --image-size 64 --batch-size 8 "
      "--epochs 1 --out readme-run");
  REQUIRE(trained.status == done);
  fs::copy_file(world().folder.path / "readme-run/weights/final.safetensors", to);
}

}  // namespace

TEST_CASE("README.md: its commands about one's own photos run as they stand") {
  const fs::path folder = world().folder.path / "readme";
  lay_out_photos(folder);
  lay_out_weights(folder);
  int run = 0;
  for (const std::string& command : commands_of("## Your own photos")) {
    CAPTURE(command);
    if (command.find("resnet101-63fe2227.pth") != std::string::npos &&
        command.find("weights url") == std::string::npos)
      continue;  // a published file of 170 MB
    const Result r =
        world().run(command.substr(std::string("limbic ").size()), "../stdout", "cd readme && ");
    CAPTURE(r.err);
    CAPTURE(r.out);
    CHECK(r.status == done);
    ++run;
    if (command.find(" evaluate ") != std::string::npos) {
      double accuracy = 0;
      REQUIRE(std::sscanf(r.out.c_str(), "accuracy %lf", &accuracy) == 1);
      CHECK(accuracy > 0);
    }
  }
  CHECK(run >= 8);
}

}  // namespace limbic::testing
