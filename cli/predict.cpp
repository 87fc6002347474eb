#include <algorithm>
#include <cstdio>

#include "limbic/cli/pictures.h"
#include "limbic/cli/verbs.h"
#include "limbic/session/session.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string model;
  Pictures pictures;
  int64_t batch_size = 16;
};

int run(const Common& common, Options& o) {
  return answer_emotions(common, o.pictures, emotion::load_model(o.model), o.batch_size);
}

}  // namespace

int answer_emotions(const Common& common, Pictures& pictures, emotion::EmotionModel model,
                    int64_t batch_size) {
  pictures.open(common);
  const int64_t batch = std::min(batch_size, std::ssize(pictures.paths()));
  const session::Session session(std::move(model), batch, batch);
  std::vector<std::string> heading = {"image", "emotion"};
  heading.insert(heading.end(), session.labels().begin(), session.labels().end());
  pictures.write(heading);
  return answer_all(common, pictures, session, "predicting",
                    [&](const std::string& path, const session::Answer& answer) {
                      const auto label = static_cast<size_t>(answer.label);
                      std::vector<std::string> cells = {path, session.labels()[label]};
                      for (double p : answer.probabilities) cells.push_back(str_cat(p));
                      pictures.write(cells);
                      if (common.json())
                        std::printf("%s\n", session::to_json(session, answer, path, 0).c_str());
                      else
                        std::printf("%s (%s)\n",
                                    printable(path + ": " + session.labels()[label]).c_str(),
                                    percent(answer.probabilities[label]).c_str());
                    });
}

void add_predict(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(app, action, "predict", "The emotion that each photo evokes.",
                             "limbic predict model photo.jpg", o, run, common);
  verb.add_option("model", o->model, "model folder made by fit, or a zip archive of one")
      .required();
  o->pictures.add_to(verb);
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
}

}  // namespace limbic::cli
