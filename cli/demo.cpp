#include <cstdio>

#include "limbic/cli/verbs.h"
#include "limbic/demo/demo.h"

namespace limbic::cli {
namespace {

int run(const Common& common, demo::DemoOptions& o) {
  o.seed = common.seed;
  o.command =
      str_cat("limbic demo --seed ", o.seed, " --epochs ", o.epochs, " --train-per-class ",
              o.train_per_class, " --test-per-class ", o.test_per_class, " --noise ", o.noise,
              " --object-share ", o.object_share, o.permute_labels ? " --permute-labels" : "");
  const demo::DemoResult r = demo::run_demo(o, progress_bar(common));
  end_progress();
  if (common.json()) {
    nlohmann::ordered_json j = {{"samples", r.test_pictures}};
    for (const auto& [name, accuracy] : r.accuracy) j[name] = accuracy;
    j["best_single"] = r.best_single;
    j["gain"] = r.fusion - r.best_single;
    j["seconds"] = r.seconds;
    j["report"] = r.report;
    print_json(j);
    return done;
  }
  const auto line = [&](const char* name, const char* key) {
    std::printf("  %-44s %s\n", name, percent(r.accuracy.at(key)).c_str());
  };
  std::printf("accuracy on %ld fresh pictures (chance: 12.50 %%)\n", r.test_pictures);
  line("Diff-CNN1 (resnet14) alone", "diff1");
  line("Diff-CNN2 (densenet_small) alone", "diff2");
  line("supplementary CNN (resnet8, objects) alone", "supplement");
  line("fusion, dense softmax layer", "fusion_dense");
  line("fusion, SVM", "fusion_svm");
  std::printf("gain of the fusion over the best single CNN: %+.2f points\n",
              100 * (r.fusion - r.best_single));
  std::printf("%.0f seconds; the report is in %s\n", r.seconds, r.report.c_str());
  return done;
}

}  // namespace

void add_demo(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<demo::DemoOptions>();
  const Verb verb =
      add_verb(app, action, "demo",
               "The whole pipeline on a picture set that it draws itself; ends with a report page.",
               "limbic demo --out demo && open demo/report.html", o, run, common);
  verb.add_option("--out", o->out, "folder for pictures, model and report");
  verb.add_option("--epochs", o->epochs, "of each CNN").check(range(1, 1000));
  verb.add_option("--train-per-class", o->train_per_class,
                  "paintings of each emotion to learn from")
      .check(range(4, 100000));
  verb.add_option("--test-per-class", o->test_per_class, "fresh paintings of each emotion")
      .check(range(1, 100000));
  verb.add_option("--noise", o->noise, "how ambiguous the paintings are").check(range(0.0, 1.0));
  verb.add_option("--object-share", o->object_share, "how often the object suits the emotion")
      .check(range(0.0, 1.0));
  verb.add_flag("--permute-labels", o->permute_labels,
                "shuffle the labels: everything must fall to chance");
}

}  // namespace limbic::cli
