#include "limbic/reproduce/study.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "limbic/cli/journal.h"
#include "limbic/demo/paintings.h"
#include "limbic/reproduce/claims.h"
#include "limbic/reproduce/json.h"
#include "limbic/reproduce/page.h"
#include "limbic/reproduce/paper.h"
#include "tests/io/pictures.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::reproduce;
using namespace limbic::testing;
namespace fs = std::filesystem;

namespace {

// Image Emotion and ArtPhoto, drawn, with files among them that are none.
struct DrawnSets {
  TemporaryFolder folder;
  std::string fi, artphoto;

  explicit DrawnSets(int64_t per_class = 14) : fi(folder / "fi"), artphoto(folder / "artphoto") {
    const demo::PaintOptions paint{.size = 32, .noise = 0.3};
    demo::paint_dataset(fi, {.per_class = per_class, .seed = 1, .paint = paint});
    write_text(fi + "/awe/gone.jpg", "<!DOCTYPE html>");
    write_png(fi + "/fear/blank.png", io::Picture(32, 32));
    for (const std::string& emotion : demo::painted_emotions())
      for (int i = 0; i < 3; ++i) {
        Random random(static_cast<uint64_t>(i) + 99, hash_name(emotion.c_str()));
        write_png(artphoto + "/" + (emotion == "sadness" ? "sad" : emotion) + "_000" +
                      std::to_string(i) + ".jpg",
                  demo::paint(emotion, paint, random).picture);
      }
  }

  Options options(const std::string& out) const {
    Options o;
    o.sets = {{"fi", fi, io::Layout::fi}, {"artphoto", artphoto, io::Layout::artphoto}};
    o.alpha = {0, 0.5, 1};
    o.beta = {0, 0.5};
    o.C = {0.5, 1.5};
    o.no_grid = true;
    o.shallow.model = "none";
    for (emotion::BranchSpec* spec : {&o.fit.diff1, &o.fit.diff2})
      *spec = {.model = "resnet8", .preset = "cifar", .image_size = 32};
    o.fit.out = folder / out;
    fs::create_directories(o.fit.out);
    o.fit.training.epochs = 2;
    o.fit.training.batch_size = 16;
    o.fit.training.learning_rate = 0.05;
    return o;
  }
};

struct Killed {};

// All numbers but times and what was measured of the machine.
nlohmann::ordered_json numbers(const Study& study, const Options& options) {
  auto out = json_of(study, options, "command");
  for (const char* name : {"timings", "estimate", "notes"}) out.erase(name);
  return out;
}

std::vector<std::pair<std::string, std::string>> reads_of(const std::string& dir) {
  std::vector<std::pair<std::string, std::string>> out;
  std::ifstream in(dir + "/reads.tsv");
  for (std::string line; std::getline(in, line);) {
    const size_t tab = line.find('\t');
    out.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  return out;
}

}  // namespace

TEST_CASE("reproduce: from sets to numbers; the test part is opened by the final scoring alone") {
  const DrawnSets sets;
  const Options o = sets.options("study");
  const Study study = run_study(o, {});
  REQUIRE(study.checks.size() == 2);
  CHECK(study.checks[0].unusable.size() == 1);
  CHECK(study.checks[0].placeholders.size() == 1);
  CHECK(study.checks[0].counts == std::vector<int64_t>(8, 14));
  CHECK(study.checks[1].counts == std::vector<int64_t>(8, 3));
  const SetResult& fi = study.sets[0];
  for (const char* method : {"diff1", "diff2", "alpha 0.5 dense", "alpha 1 svm", "beta 0 dense",
                             "without S, alpha 0.5 svm", "best alpha svm", "C 1.5 best beta"}) {
    CAPTURE(std::string(method));
    REQUIRE(fi.has(method));
    const Measure m = measure(fi, method);
    CHECK(m.pictures == 16);
    CHECK(m.interval.low <= m.accuracy);
    CHECK(m.accuracy <= m.interval.high);
    CHECK(measure(study.sets[1], method).pictures == 24);
  }
  // Beyond chance, which is 1 in 8: of 16 + 24 pictures.
  const int64_t right = std::lround(measure(fi, "best alpha svm").accuracy * 16 +
                                    measure(study.sets[1], "best alpha svm").accuracy * 24);
  CHECK(statistics::chance_of_at_least(right, 40, 1.0 / 8) < 0.01);
  // Without a supplement beta 0.5 weighs both CNNs alike, as beta 0 does.
  CHECK(fi.answers.at("beta 0 svm") == fi.answers.at("beta 0.5 svm"));

  std::set<std::string> tested, learnt, early;
  for (const io::Sample& s : study.rounds[0].test.samples) tested.insert(s.path);
  for (const auto& [phase, path] : reads_of(o.fit.out)) {
    if (contains(phase, "learn")) learnt.insert(path);
    if (phase != "check" && !contains(phase, "score") && tested.contains(path)) early.insert(path);
  }
  CHECK(early.empty());
  for (const io::Sample& s : study.rounds[0].train.samples) CHECK(learnt.contains(s.path));

  write_results(study, o, "limbic reproduce <&>");
  for (const char* name :
       {"reproduce.html", "reproduce.md", "reproduce.tex", "reproduce.json", "model/model.json"})
    CHECK(fs::file_size(o.fit.out + "/" + name) > 200);
  const auto j = json_of(study, o, "x");
  CHECK(j.at("table1").size() == 2);
  CHECK(j.at("table2").size() == 2 * 5 * 2);
  CHECK(j.at("fig2").size() == 4);
  CHECK(j.at("fig3").size() == 4);
  CHECK(j.at("table1")[1].at("printed").at("sadness") == 166);
}

TEST_CASE("reproduce: killed anywhere and resumed, it gives the same numbers") {
  const DrawnSets sets(10);
  Options o = sets.options("undisturbed");
  o.baselines = {"hog"};
  const auto expected = numbers(run_study(o, {}), o);
  o.fit.out = sets.folder / "killed";
  fs::create_directories(o.fit.out);
  for (int64_t at : {3, 9, 20, 40}) {
    int64_t seen = 0;
    try {
      run_study(o, [&](const Progress&) {
        if (++seen == at) throw Killed{};
      });
    } catch (const Killed&) {
      continue;
    }
    FAIL("it ended before it was killed at ", at);
  }
  CHECK(numbers(run_study(o, {}), o) == expected);
}

TEST_CASE(
    "reproduce: a resumed study with other options takes nothing from before that they decide") {
  const DrawnSets sets(8);
  Options o = sets.options("other");
  o.fit.training.epochs = 1;
  o.fit.diff2.model = "none";
  o.baselines = {"hog"};
  o.no_grid = false;
  o.alpha = {0.25, 0.5};
  const auto learnt = [](const Study& study) {
    return std::count_if(study.timings.begin(), study.timings.end(),
                         [](const Timing& t) { return t.what == "HOG: learning"; });
  };
  CHECK(learnt(run_study(o, {})) == 1);
  CHECK(learnt(run_study(o, {})) == 1);  // as it was: from the journal
  o.baseline.positive = {"awe"};
  CHECK(learnt(run_study(o, {})) == 2);
  o.baseline.augmentation = io::Augmentation{.flip = true};
  CHECK(learnt(run_study(o, {})) == 3);
  o.alpha = {0.75};
  CHECK(run_study(o, {}).choices[0].grid_alpha == 0.75);
}

TEST_CASE("reproduce: folds and seeds; a picture is asked once a seed") {
  const DrawnSets sets(6);
  Options o = sets.options("folds");
  o.folds = 3;
  o.seeds = 2;
  o.fit.training.epochs = 1;
  o.fit.diff2.model = "none";
  const Study study = run_study(o, {});
  REQUIRE(study.rounds.size() == 6);
  const SetResult& fi = study.sets[0];
  std::vector<int> asked(fi.data.samples.size());
  for (const auto& labels : fi.answers.at("best alpha svm"))
    for (size_t i = 0; i < labels.size(); ++i) asked[i] += labels[i] >= 0;
  CHECK(std::all_of(asked.begin(), asked.end(), [](int n) { return n == 2; }));
  const Measure m = measure(fi, "best alpha svm");
  CHECK(m.pictures == 48);
  CHECK(m.rounds.n == 6);
  const Comparison same = compare(fi, "diff1", "diff1", study.rounds);
  CHECK(same.difference == 0);
  CHECK(same.test.p == 1);
  const auto too_many = sets.options("many");
  Options more = too_many;
  more.folds = 7;
  CHECK(contains(error_of([&] { run_study(more, {}); }),
                 "--folds 7: class 'amusement' has 6 pictures"));
}

TEST_CASE("reproduce: chosen by the test pictures, everything says so") {
  const DrawnSets sets(8);
  Options o = sets.options("select");
  o.fit.select_by_test = true;
  o.fit.training.epochs = 1;
  const Study study = run_study(o, {});
  CHECK(study.select_by_test);
  write_results(study, o, "x");
  for (const char* name : {"reproduce.html", "reproduce.md", "reproduce.tex"}) {
    std::ifstream in(o.fit.out + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    CHECK_MESSAGE(contains(text.str(), "Selected by the test pictures themselves"), name);
  }
  CHECK(json_of(study, o, "x").at("selection") == "test pictures (--select test)");
  // The best alpha is the best on the test pictures.
  const SetResult& fi = study.sets[0];
  for (double alpha : o.alpha)
    CHECK(measure(fi, "best alpha dense").accuracy >=
          measure(fi, str_cat("alpha ", alpha, " dense")).accuracy);
}

TEST_CASE("reproduce: rows that cannot run say what they need and show no number") {
  const DrawnSets sets(6);
  Options o = sets.options("needs");
  o.baselines = {"sentibank", "deepsentibank"};
  o.fit.training.epochs = 1;
  o.fit.diff2.model = "none";
  const Study study = run_study(o, {});
  const auto j = json_of(study, o, "x");
  int64_t rows = 0;
  for (const auto& row : j.at("table3")) {
    if (!contains(row.at("method").get<std::string>(), "Senti")) continue;
    ++rows;
    CHECK(!row.contains("accuracy"));
    CHECK(contains(row.at("not_run").get<std::string>(), "needs --"));
  }
  CHECK(rows == 4);
  for (const Claim& claim : claims_of(study))
    if (contains(claim.text, "LiteEmo")) CHECK(claim.not_run == "needs the baseline liteemo");
}

TEST_CASE("reproduce: a baseline that fails says so, and the others go on") {
  const DrawnSets sets(8);
  Options o = sets.options("fails");
  o.fit.training.epochs = 1;
  o.fit.diff2.model = "none";
  o.baselines = {"hog", "binary-assisted"};
  o.baseline.training = o.fit.training;
  o.baseline.training.learning_rate = 1e12;
  o.baseline.image_size = 32;
  const Study study = run_study(o, {});
  REQUIRE(study.baselines.size() == 2);
  CHECK(study.baselines[0].not_run.empty());
  CHECK_MESSAGE(study.baselines[1].not_run.starts_with("failed: "), study.baselines[1].not_run);
  CHECK(study.sets[0].has("baseline hog"));
  CHECK(!study.sets[0].has("baseline binary-assisted"));
  CHECK(std::any_of(study.notes.begin(), study.notes.end(), [](const std::string& note) {
    return contains(note, "Binary Assisted failed: ");
  }));
}

TEST_CASE("journal: what was cut or is of another key is not used") {
  const TemporaryFolder folder;
  const std::string path = folder / "journal.jsonl";
  {
    cli::Journal journal(path);
    journal.add("a", {{"step", 1}}, {{"x", 2}});
    CHECK(journal.once("a", {{"step", 1}}, [] { return cli::Journal::Json(3); }) ==
          cli::Journal::Json{{"x", 2}});
    journal.add("a", {{"step", 2}}, 5);
  }
  std::ofstream(path, std::ios::app) << R"({"key":"a","step":{"step":3},"res)";
  cli::Journal journal(path);
  CHECK(journal.find("a", {{"step", 1}}) != nullptr);
  CHECK(journal.find("b", {{"step", 1}}) == nullptr);
  CHECK(journal.find("a", {{"step", 3}}) == nullptr);
  journal.add("a", {{"step", 3}}, 7);
  CHECK(*cli::Journal(path).find("a", {{"step", 3}}) == 7);
}

TEST_CASE("the paper's printed numbers add up") {
  for (const PaperSet& set : paper_sets()) {
    int64_t sum = 0;
    for (const auto& n : set.counts) sum += n.value_or(0);
    CHECK_MESSAGE(sum == set.total, set.column);
  }
  CHECK(table2_alpha("fi", 0.75) == 66.80);
  CHECK(table2_beta("own", 0) == 71);
  CHECK(!table2_alpha("fi", 0.3));
}
