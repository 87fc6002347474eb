// Draws the paper's data sets in the layouts in which they are handed out, with the paper's
// proportions of classes, broken and placeholder files and near-duplicates among them: for trying
// `limbic reproduce` from pictures to page where the sets are not at hand.
//
//   draw_sets OUT [PICTURES [SIZE [NOISE [ARTPHOTO_NAMES]]]]
//
// OUT/fi, OUT/artphoto, OUT/abstract, OUT/emotionroi, OUT/pairs (24 adjective-noun pairs) and
// OUT/objects, for a supplementary CNN. ARTPHOTO_NAMES: a file of ArtPhoto's own file names.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/demo/paintings.h"
#include "limbic/io/layouts.h"
#include "limbic/io/png.h"
#include "limbic/io/resize.h"

namespace {

using namespace limbic;
namespace fs = std::filesystem;

struct Drawing {
  std::string path, emotion, object;  // an object makes it a pair
};

void write(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  require(out.flush().good(), path, ": cannot write");
}

class Artist {
 public:
  Artist(std::string out, int64_t size, double noise) : out_(std::move(out)) {
    options_ = {.size = size, .noise = noise, .object_share = 0.6};
  }

  std::string path(const std::string& name) const { return out_ + "/" + name; }

  void draw(const std::vector<Drawing>& drawings) const {
    for (const Drawing& d : drawings) fs::create_directories(fs::path(path(d.path)).parent_path());
    parallel_for_dynamic(std::ssize(drawings), [&](int64_t i) {
      const Drawing& d = drawings[static_cast<size_t>(i)];
      Random random(hash_name(d.path.c_str()), 1);
      write(path(d.path),
            io::encode_png(d.object.empty()
                               ? demo::paint(d.emotion, options_, random).picture
                               : demo::paint_pair(d.emotion, d.object, options_, random)));
    });
  }

  // Files as people have them: two cut short, a page in a picture's place, a placeholder under
  // three labels, and copies of pictures: equal, smaller, mirrored.
  void spoil(const std::vector<Drawing>& fi) const {
    const auto bytes = [&](size_t i) {
      std::ifstream in(path(fi[i].path), std::ios::binary);
      return std::vector<uint8_t>(std::istreambuf_iterator<char>(in), {});
    };
    auto cut = bytes(3);
    cut.resize(cut.size() / 3);
    write(path("fi/anger/cut_1.jpg"), cut);
    cut.resize(20);
    write(path("fi/fear/cut_2.jpg"), cut);
    const std::string html = "<!DOCTYPE html><title>gone</title>";
    write(path("fi/awe/gone.jpg"), {html.begin(), html.end()});
    Random random(9, 9);
    const io::Picture placeholder = demo::paint_object("star", options_, random);
    for (const char* name : {"fi/awe/unavailable_1.jpg", "fi/fear/unavailable_2.jpg",
                             "fi/sadness/unavailable_3.jpg", "fi/awe/unavailable_4.jpg"})
      write(path(name), io::encode_png(placeholder));
    write(path("fi/disgust/blank.jpg"), io::encode_png(io::Picture(options_.size, options_.size)));
    for (size_t i = 0; i < 12; ++i) {
      const size_t at = i * fi.size() / 12;
      Random again(hash_name(fi[at].path.c_str()), 1);
      io::Picture picture = demo::paint(fi[at].emotion, options_, again).picture;
      if (i % 3 == 1)
        picture =
            io::resize(picture, {.height = options_.size * 5 / 4, .width = options_.size * 5 / 4});
      if (i % 3 == 2) io::flip_horizontally(picture);
      write(path("fi/" + fi[at].emotion + "/copy_" + std::to_string(i) + ".jpg"),
            io::encode_png(picture));
    }
  }

 private:
  std::string out_;
  demo::PaintOptions options_;
};

std::string numbered(const std::string& before, int64_t number, const std::string& after) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04d", static_cast<int>(number));
  return before + digits + after;
}

// Table 1's counts, in the order of io::eight_emotions().
constexpr int64_t fi_counts[] = {4724, 1176, 2883, 5131, 1591, 2727, 969, 2635};
constexpr int64_t artphoto_counts[] = {101, 77, 102, 70, 70, 105, 115, 166};
constexpr int64_t abstract_counts[] = {33, 9, 28, 72, 29, 36, 41, 32};

std::vector<Drawing> fi_of(int64_t pictures) {
  std::vector<Drawing> out;
  for (size_t e = 0; e < 8; ++e) {
    const std::string& name = io::eight_emotions()[e];
    const int64_t n = std::max<int64_t>(12, pictures * fi_counts[e] / 21836);
    for (int64_t i = 0; i < n; ++i)
      out.push_back({numbered("fi/" + name + "/" + name + "_", i, ".jpg"), name, ""});
  }
  return out;
}

std::vector<Drawing> artphoto_of(const std::string& names) {
  std::vector<Drawing> out;
  std::ifstream in(names);
  for (std::string line; std::getline(in, line);) {
    const std::string file = fs::path(line).filename();
    out.push_back({"artphoto/testImages_artphoto/" + file,
                   io::unified_emotion(file.substr(0, file.find('_'))), ""});
  }
  if (!out.empty()) return out;
  for (size_t e = 0; e < 8; ++e)
    for (int64_t i = 0; i < artphoto_counts[e]; ++i) {
      const std::string& name = io::eight_emotions()[e];
      out.push_back({numbered("artphoto/testImages_artphoto/" +
                                  (name == "sadness" ? std::string("sad") : name) + "_",
                              i, ".jpg"),
                     name, ""});
    }
  return out;
}

// The pictures, and their table of votes: one in six has a tie, which its first emotion wins.
std::vector<Drawing> abstract_of(std::string& table) {
  std::vector<Drawing> out;
  table = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'\n";
  for (size_t e = 0; e < 8; ++e)
    for (int64_t i = 0; i < abstract_counts[e]; ++i) {
      const std::string file = numbered("abstract_", std::ssize(out) + 1, ".jpg");
      out.push_back({"abstract/testImages_abstract/" + file, io::eight_emotions()[e], ""});
      table += "'" + file + "'";
      for (size_t v = 0; v < 8; ++v)
        table += v == e || (i % 6 == 0 && v > e && v == 7) ? ",8" : ",1";
      table += "\n";
    }
  return out;
}

// Joy and surprise are drawn as contentment and awe.
std::vector<Drawing> roi_of(std::string& training, std::string& testing) {
  std::vector<Drawing> out;
  for (const auto& [name, drawn] : {std::pair{"anger", "anger"}, std::pair{"disgust", "disgust"},
                                    std::pair{"fear", "fear"}, std::pair{"joy", "contentment"},
                                    std::pair{"sadness", "sadness"}, std::pair{"surprise", "awe"}})
    for (int64_t i = 1; i <= 330; ++i) {
      const std::string file = std::string(name) + "/" + std::to_string(i) + ".jpg";
      out.push_back({"emotionroi/images/" + file, drawn, ""});
      (i <= 231 ? training : testing) += file + "\n";
    }
  return out;
}

std::vector<Drawing> pairs_of(int64_t per_pair) {
  std::vector<Drawing> out;
  const auto& objects = demo::painted_objects();
  for (size_t e = 0; e < 8; ++e)
    for (size_t k = 0; k < 3; ++k) {
      const std::string& name = io::eight_emotions()[e];
      const std::string& object = objects[(3 * e + k) % objects.size()];
      for (int64_t i = 0; i < per_pair; ++i)
        out.push_back({numbered("pairs/" + name + "_" + object + "/", i, ".jpg"), name, object});
    }
  return out;
}

void write_text(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  write(path, {text.begin(), text.end()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "draw_sets OUT [PICTURES [SIZE [NOISE [ARTPHOTO_NAMES]]]]\n");
    return 2;
  }
  const std::string out = argv[1];
  const int64_t pictures = argc > 2 ? std::atoll(argv[2]) : 2000,
                size = argc > 3 ? std::atoll(argv[3]) : 64;
  const double noise = argc > 4 ? std::atof(argv[4]) : 0.7;
  try {
    const Artist artist(out, size, noise);
    const std::vector<Drawing> fi = fi_of(pictures);
    artist.draw(fi);
    artist.spoil(fi);
    artist.draw(artphoto_of(argc > 5 ? argv[5] : ""));
    std::string table, training, testing;
    artist.draw(abstract_of(table));
    write_text(out + "/abstract/ABSTRACT_groundTruth.csv", table);
    artist.draw(roi_of(training, testing));
    write_text(out + "/emotionroi/training_testing_split/training.txt", training);
    write_text(out + "/emotionroi/training_testing_split/testing.txt", testing);
    artist.draw(pairs_of(40));
    demo::paint_object_dataset(
        out + "/objects",
        {.per_class = 120, .seed = 3, .paint = {.size = size, .noise = 0.5, .object_share = 1}});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "draw_sets: %s\n", error.what());
    return 1;
  }
  return 0;
}
