#include "tests/report/sample.h"

#include <cmath>
#include <limits>

#include "limbic/io/png.h"

namespace limbic::testing {
namespace {

using report::Report;

const std::vector<std::string> emotions = {"amusement", "anger",      "awe",  "contentment",
                                           "disgust",   "excitement", "fear", "sadness"};

std::vector<std::vector<int64_t>> counts(size_t n) {
  std::vector<std::vector<int64_t>> out(n, std::vector<int64_t>(n));
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      out[i][j] = i == j ? static_cast<int64_t>(300 + 20 * i)
                         : static_cast<int64_t>((i * 7 + j * 3) % 11 * (j % 2 ? 5 : 1));
  if (n > 6) out[5].assign(n, 0);  // a class without pictures
  return out;
}

Report::Sample sample(const std::string& name, const std::string& truth,
                      const std::string& predicted, int shade) {
  io::Picture picture(24, 24);
  for (size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<uint8_t>(static_cast<int>(i) * shade % 256);
  return {io::encode_png(picture), name, truth, predicted, 0.25 + 0.7 / shade};
}

Report::Table table_2() {
  Report::Table out{.title = "Table 2: accuracy over alpha and C",
                    .explanation = "Per cent of the test pictures; the best cell is bold.",
                    .columns = {{"alpha"}, {"dense", true}},
                    .rows = {},
                    .emphasis = {{2, 7}},
                    .footnotes = {"C = 1.5 is the paper's choice.",
                                  "Ours is measured on pictures that this run painted."}};
  const char* Cs[] = {"0.25", "0.5", "0.75", "1", "1.25", "1.5", "1.75", "2", "2.5", "3", "4", "5"};
  for (const char* C : Cs) out.columns.push_back({std::string("C ") + C, true});
  for (int a = 0; a < 5; ++a) {
    out.rows.push_back({std::to_string(a * 0.25).substr(0, 4)});
    for (int c = 0; c < 13; ++c)
      out.rows.back().push_back(
          std::to_string(61.2 + 4 * std::sin(a + 1) + std::cos(c)).substr(0, 5));
  }
  return out;
}

Report::Table table_1() {
  return {
      .title = "Table 1: what others reached",
      .explanation = "Their numbers as they published them.",
      .columns = {{"method"}, {"pictures"}, {"classifier"}, {"accuracy", true}, {"ours", true}},
      .rows = {{"Zhao et al. 2014, principles of art", "Artphoto, Abstract", "SVM", "63.1 %", ""},
               {"Rao et al. 2016, multi-level regions", "FI", "softmax", "67.5 %", "66.9 %"},
               {"The differential CNN", "FI, eight emotions", "SVM, RBF kernel", "70.1 %",
                "69.8 %"}},
      .emphasis = {{2, 3}}};
}

Report::LineChart curves() {
  Report::LineChart out{.title = "Accuracy over alpha",
                        .explanation = "On the test pictures, a line for each C.",
                        .x_label = "alpha",
                        .y_label = "accuracy",
                        .series = {}};
  for (int s = 0; s < 13; ++s) {
    Report::Series line{s ? "C " + std::to_string(s * 0.25).substr(0, 4) : "dense layer", {}};
    for (int i = 0; i < 5; ++i)
      line.points.push_back({i * 0.25, 0.6 + 0.05 * std::sin(i + s * 0.4) + 0.004 * s});
    if (s < 2)
      for (const auto& p : line.points)
        line.low.push_back(p.y - 0.02), line.high.push_back(p.y + 0.02);
    out.series.push_back(line);
  }
  return out;
}

Report::LineChart training(const char* title, bool rising) {
  Report::LineChart out{.title = title,
                        .explanation = "Epoch by epoch.",
                        .x_label = "epoch",
                        .y_label = rising ? "accuracy" : "loss",
                        .series = {{"diff1", {}}, {"diff2", {}}, {"supplement (objects)", {}}}};
  for (size_t s = 0; s < 3; ++s)
    for (int e = 1; e <= 12; ++e) {
      const double falling = std::exp(-e * (0.15 + 0.05 * static_cast<double>(s)));
      out.series[s].points.push_back(
          {static_cast<double>(e), rising ? 0.75 - 0.6 * falling : 2.1 * falling});
    }
  return out;
}

Report::LineChart reliability() {
  return {.title = "Reliability",
          .explanation = "How often an answer of this probability was right.",
          .x_label = "probability",
          .y_label = "right",
          .series = {{"SVM",
                      {{0.15, 0.1}, {0.35, 0.3}, {0.55, 0.52}, {0.75, 0.79}, {0.95, 0.97}},
                      {0.05, 0.22, 0.45, 0.72, 0.93},
                      {0.18, 0.4, 0.6, 0.85, 0.99}}},
          .diagonal = true};
}

}  // namespace

const char* const hostile_text = "<script>\"'&</script>|*_`# [x](y) \\textbf{z} %$^~ \x01\xFF.jpg";

report::PipelineFigure sample_pipeline() {
  return {.branches = {{"Diff-CNN1", "resnet101", 224, 2048, "X1", "\u03b1 = 0.5"},
                       {"Diff-CNN2", "densenet201", 224, 1920, "X2", "(1\u2212\u03b1) = 0.5"},
                       {"supplement", "efficientnet_lite0", 224, 1000, "S", "", "softmax"}},
          .fused_width = 4968,
          .classes = 8,
          .classifiers = {"SVM, RBF kernel, C = 1.5", "dense layer, softmax"}};
}

report::Report sample_report() {
  Report r{.title = "The emotions of pictures, every kind of section",
           .subtitle = "limbic reproduce --data /data/pictures/of/emotions --out out --seed 0",
           .sections = {}};
  r.add(Report::Paragraphs{{"Eight emotions.", "Three networks, measured on 480 pictures."}});
  r.add(Report::Headline{{{"diff1 resnet14 alone, SVM", 0.7104, 480},
                          {"diff2 densenet_small alone, SVM", 0.7042, 480},
                          {"supplement resnet8 alone, SVM", 0.4062, 480},
                          {"fusion, dense softmax layer", 0.7729, 480},
                          {"fusion, SVM", 0.7896, 480},
                          {"the paper's", 0.701, 0}}});
  r.add(report::pipeline_section(sample_pipeline()));
  r.add(Report::BarChart{.title = "The parts and the fusion",
                         .explanation = "Chance is one in eight.",
                         .bars = {{"diff1 resnet14 alone, SVM", 0.7104, 480},
                                  {"diff2 densenet_small alone, SVM", 0.7042, 480},
                                  {"supplement resnet8 alone, SVM", 0.4062, 480},
                                  {"fusion, SVM", 0.7896, 480, Report::Interval{0.74, 0.93}},
                                  {"all", 1, 0}}});
  r.add(table_1());
  r.add(table_2());
  r.add(Report::Gallery{
      {sample("fear/0001.png", "fear", "fear", 3), sample("awe/0007.png", "awe", "sadness", 5),
       sample("contentment/0015.png", "contentment", "contentment", 7),
       sample("excitement/a_rather_long_name_of_a_file_0023.png", "excitement", "amusement", 11)}});
  r.add(Report::Confusion{"fusion, SVM", "", emotions, counts(8)});
  r.add(Report::Confusion{"fusion, dense layer", "", emotions, counts(8)});
  r.add(Report::Confusion{"two groups", "", {"negative", "positive"}, counts(2)});
  r.add(curves());
  r.add(Report::Paragraphs{{"Two charts side by side:"}});
  r.add(training("Training", false));
  r.add(training("Validation", true));
  r.add(reliability());
  return r;
}

report::Report hostile_report() {
  std::string word, evil = hostile_text;
  while (word.size() < 90) word += "anextraordinarilylongword";
  const double inf = std::numeric_limits<double>::infinity();
  Report r{.title = evil, .subtitle = evil + word, .sections = {}};
  r.add(Report::Paragraphs{{evil, word}});
  r.add(Report::Headline{{{evil, 0.5, 10}, {word, 2, 3}, {"", NAN, 3}}, evil, evil});
  Report::Table wide{.title = evil, .explanation = word, .columns = {}, .rows = {{}, {}}};
  for (int c = 0; c < 24; ++c) {
    wide.columns.push_back({c ? "column " + std::to_string(c) : evil, c > 1});
    wide.rows[0].push_back(c == 1 ? word : c % 5 ? "12345.678" : evil);
    wide.rows[1].push_back(c % 3 ? "" : "=1+1");
  }
  wide.footnotes = {evil};
  r.add(wide);
  r.add(Report::Table{"two", "", {{"key"}, {word}}, {{"a", evil + word}}});
  r.add(Report::BarChart{
      evil, evil, {{evil + word, 0.5, 10}, {"x", NAN, 3}, {"y", 7, 0}, {"z", -1, 2}}});
  r.add(Report::Gallery{
      {{{'"', '>'}, evil, evil, evil, 0.5}, sample(word, word, word, 3)}, evil, evil});
  std::vector<std::string> forty(40, "a class of a long name");
  forty[0] = evil, forty[1] = word;
  r.add(Report::Confusion{evil, evil, {evil, word}, counts(2)});
  r.add(Report::Confusion{"ten", "", std::vector<std::string>(10, "another class"), counts(10)});
  r.add(Report::Confusion{"forty", "", forty, counts(40)});
  r.add(Report::Confusion{"none", "", {}, {}});
  r.add(Report::LineChart{
      evil, evil, evil, evil, {{evil, {{0, 1}}}, {word, {{1e300, inf}, {2, 5}}}}});
  r.add(Report::LineChart{"huge", "", "x", "y", {{"s", {{1, 1e99}, {2, -1e99}}}}});
  r.add(Report::LineChart{"small", "", "x", "y", {{"s", {{1e-14, 0}, {2e-14, 1}}}}});
  r.add(Report::Figure{
      evil, evil, report::draw_pipeline({{{evil, word, 1, 1, evil, evil}}, 1, 1, {evil}}), evil});
  return r;
}

}  // namespace limbic::testing
