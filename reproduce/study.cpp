#include "limbic/reproduce/study.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <set>

#include "limbic/core/clock.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/network/predictor.h"
#include "limbic/reproduce/estimate.h"
#include "limbic/reproduce/score.h"
#include "limbic/train/checkpoint.h"

namespace limbic::reproduce {
namespace {

using Json = cli::Journal::Json;

// Writes each file that is read, with the phase of the study, one a line.
class ReadLog {
 public:
  ReadLog(const std::string& path, const std::string& own_folder)
      : out_(path, std::ios::app), own_(own_folder + "/") {
    observe_reads([this](const std::string& file) {
      const std::lock_guard lock(mutex_);
      if (!file.starts_with(own_)) out_ << phase_ << '\t' << file << '\n';
    });
  }
  ~ReadLog() { observe_reads({}); }
  ReadLog(const ReadLog&) = delete;
  ReadLog& operator=(const ReadLog&) = delete;

  void enter(const std::string& phase) {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    out_.flush();
  }

 private:
  std::mutex mutex_;
  std::ofstream out_;
  std::string own_, phase_ = "start";
};

// The test pictures of a round and all small sets as one data set, and the way back.
struct TestSet {
  io::Dataset data;
  std::vector<std::pair<size_t, int64_t>> place;  // set and picture of each
};

TestSet test_set_of(const Round& round, const std::vector<SetResult>& sets) {
  TestSet out;
  out.data.classes = sets[0].data.classes;
  for (size_t i = 0; i < round.test.samples.size(); ++i) {
    out.data.samples.push_back(round.test.samples[i]);
    out.place.emplace_back(0, round.test_index[i]);
  }
  for (size_t s = 1; s < sets.size(); ++s)
    for (int64_t i = 0; i < sets[s].data.size(); ++i) {
      out.data.samples.push_back(sets[s].data.samples[static_cast<size_t>(i)]);
      out.place.emplace_back(s, i);
    }
  return out;
}

class Runner {
 public:
  Runner(const Options& options, const ProgressFunction& progress)
      : options_(options),
        progress_(progress),
        journal_(options.fit.out + "/journal.jsonl"),
        log_(options.fit.out + "/reads.tsv", options.fit.out) {}

  Study run() {
    log_.enter("check");
    Sets sets = open_sets(options_, journal_, progress_);
    out_.classes = sets.sets[0].data.classes;
    out_.checks = std::move(sets.checks);
    out_.rounds = divide(options_, sets);
    out_.near_duplicates = near_duplicates(out_.rounds[0], sets);
    out_.select_by_test = options_.fit.select_by_test;
    if (const auto n = out_.near_duplicates.size(); n > 0)
      tell(str_cat(n, n == 1 ? " test picture looks" : " test pictures look",
                   " like one to learn from, the first: ", out_.near_duplicates[0].test, " and ",
                   out_.near_duplicates[0].train));
    log_.enter("estimate");
    const Json found = journal_.once("machine", {{"estimate", settings()}}, [&] {
      const Estimate e = estimate(options_, sets, out_.rounds);
      Json parts = Json::array();
      for (const Timing& t : e.parts) parts.push_back({t.what, t.seconds});
      return Json{{"parts", parts}, {"seconds", e.seconds}, {"fi_epoch", e.fi_epoch_seconds}};
    });
    for (const Json& part : found.at("parts"))
      out_.estimate.parts.push_back({part.at(0), part.at(1)});
    out_.estimate.seconds = found.at("seconds");
    out_.estimate.fi_epoch_seconds = found.at("fi_epoch");
    std::string text = "this will take about " + duration(out_.estimate.seconds) +
                       " here, baselines and grid apart:";
    for (const Timing& t : out_.estimate.parts)
      text += str_cat(" ", t.what, " ", duration(t.seconds), ";");
    text.back() = '.';
    tell(text);
    tell("an epoch of FI's 21836 pictures with these CNNs, and their features, would take " +
         duration(out_.estimate.fi_epoch_seconds) + " here");
    out_.sets = std::move(sets.sets);
    if (options_.estimate_only) return std::move(out_);
    for (size_t r = 0; r < out_.rounds.size(); ++r) run_round(r);
    collect_times();
    return std::move(out_);
  }

 private:
  void tell(const std::string& text) {
    if (options_.note) options_.note(text);
    out_.notes.push_back(text);
  }

  // What of the options decides results, beside the pictures and weights.
  Json settings() const {
    const emotion::FitOptions& f = options_.fit;
    Json out = {{"training", train::settings_of(f.training, f.augmentation)},
                {"folds", options_.folds},
                {"seeds", options_.seeds},
                {"select_by_test", f.select_by_test},
                {"literal", options_.literal_preset},
                {"preset", f.diff1.preset},
                {"image_size", f.diff1.image_size}};
    for (const auto* spec : {&f.diff1, &f.diff2, &f.supplement, &options_.shallow})
      out["cnns"].push_back({spec->model, spec->weights, spec->preset, spec->image_size});
    for (const SetResult& set : out_.sets) out["sets"].push_back(set.data.size());
    return out;
  }

  static Json name_of(const Round& round) {
    return Json(str_cat("seed ", round.seed, " fold ", round.fold));
  }

  std::string folder_of(const Round& round) const {
    // Without training all rounds share one cache of features.
    if (options_.fit.training.epochs == 0) return options_.fit.out;
    return str_cat(options_.fit.out, "/seed-", round.seed, "-fold-", round.fold);
  }

  emotion::FitOptions fit_options(const Round& round) const {
    emotion::FitOptions f = options_.fit;
    f.out = folder_of(round);
    f.training.seed = round.seed;
    f.classifier.seed = round.seed;
    f.training.resume = true;
    f.training.note = options_.note;
    f.validation = round.validation;
    f.always_hold_out = true;
    f.hold_out_test = f.select_by_test;
    if (f.select_by_test) {
      f.test = round.test;
      f.validation.reset();
    }
    return f;
  }

  void run_round(size_t r) {
    const Round& round = out_.rounds[r];
    const Json name = name_of(round);
    const std::string label = name.get<std::string>() + ": ";
    log_.enter(label + "learn");
    emotion::FitResult prepared = timed(r, "training the CNNs and their features", [&] {
      return emotion::prepare_fit(round.train, fit_options(round), progress_);
    });
    for (const auto& s : prepared.skipped) out_.skipped.push_back(s);
    if (r == 0) {
      for (const auto& [role, training] : prepared.trainings)
        out_.trainings[role] = training.epochs;
      for (const auto& text : prepared.notes) tell(text);
      for (const emotion::Branch& b : prepared.model.branches)
        out_.hashes.push_back(str_cat(b.role, " ", b.external ? "features" : b.network.model.name,
                                      ": ", b.hash.substr(0, 16)));
      out_.hashes.push_back("training features: " +
                            emotion::hash_of_features(prepared).substr(0, 16));
    }
    prepared.test_features = {};  // of --select test; extracted again below, from the cache
    const Fusions fusions = fusions_of(options_, prepared.model.roles());
    auto shallow = learn_shallow(round, r);
    auto learnt = learn_baselines(round, r);
    log_.enter(label + "select");
    std::optional<Choice> choice = timed(r, "choosing by validation pictures", [&] {
      return choose(options_, fusions, prepared, journal_, name, progress_);
    });
    // The joint grid never sees a test picture.
    Choice grid;
    const bool joint = !options_.no_grid && options_.fit.classifier.kernel == svm::KernelType::rbf;
    if (joint)
      timed(r, "alpha, beta, C and gamma together", [&] {
        choose_together(options_, prepared, grid, journal_, name, progress_);
        return 0;
      });
    log_.enter(label + "score");
    const TestSet test = test_set_of(round, out_.sets);
    const emotion::BranchFeatures features = timed(r, "features of test pictures", [&] {
      emotion::ExtractOptions o{.batch_size = options_.fit.extract_batch,
                                .cache = folder_of(round) + "/cache",
                                .task = "test features"};
      return emotion::extract_features(prepared.model.branches, test.data, o, progress_);
    });
    require(!features.labels.empty(), "not one of the test pictures could be read");
    int64_t own = 0;
    for (int64_t i : features.indices) own += test.place[static_cast<size_t>(i)].first == 0;
    Answers answers = timed(r, "classifiers on test pictures", [&] {
      return answer_all(options_, fusions, prepared, features, own, choice, journal_, name,
                        progress_);
    });
    if (joint) {
      choice->grid_alpha = grid.grid_alpha, choice->grid_beta = grid.grid_beta;
      choice->grid_C = grid.grid_C, choice->grid_gamma = grid.grid_gamma;
      choice->grid_accuracy = grid.grid_accuracy;
      answers["grid svm"] = answer_grid(prepared, features, *choice);
    }
    for (const auto& [method, labels] : answers) take(r, method, labels, features.indices, test);
    if (r == 0) look_closely(prepared, features, *choice, own);
    out_.choices.push_back(*choice);
    if (shallow) score_shallow(r, *shallow, test);
    score_baselines(r, learnt, test);
  }

  // Answers to rows of the test set, brought back to the sets.
  void take(size_t r, const std::string& method, const std::vector<int64_t>& labels,
            const std::vector<int64_t>& indices, const TestSet& test) {
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto [s, picture] = test.place[static_cast<size_t>(indices[i])];
      auto& rounds = out_.sets[s].answers[method];
      if (rounds.size() <= r) rounds.resize(r + 1);
      if (rounds[r].empty()) rounds[r].assign(out_.sets[s].data.samples.size(), -1);
      rounds[r][static_cast<size_t>(picture)] = labels[i];
    }
  }

  std::vector<int64_t> answer_grid(const emotion::FitResult& prepared,
                                   const emotion::BranchFeatures& test, const Choice& choice) {
    emotion::ClassifierOptions o = options_.fit.classifier;
    o.fusion = emotion::Fusion::with_both(*choice.grid_alpha, *choice.grid_beta);
    o.C = *choice.grid_C;
    o.gamma_rule = svm::GammaRule::value;
    o.gamma = *choice.grid_gamma;
    const auto classes = std::ssize(out_.classes);
    const auto roles = prepared.model.roles();
    return emotion::classify(emotion::train_classifier(roles, prepared.train_features, classes, o),
                             roles, test.blocks, classes)
        .labels;
  }

  // Of the first round: the model itself, calibration, compactness, objects.
  void look_closely(const emotion::FitResult& prepared, const emotion::BranchFeatures& test,
                    const Choice& choice, int64_t own) {
    emotion::ClassifierOptions o = options_.fit.classifier;
    o.fusion = emotion::Fusion::with_alpha(choice.alpha_svm);
    o.C = choice.alpha_C;
    const auto classes = std::ssize(out_.classes);
    const auto roles = prepared.model.roles();
    emotion::EmotionModel model = prepared.model;
    model.classifier = emotion::train_classifier(roles, prepared.train_features, classes, o);
    const emotion::Prediction p = emotion::classify(model.classifier, roles, test.blocks, classes);
    std::vector<double> sure, sure_dense;
    statistics::Right right, right_dense;
    const Tensor dense = model.classifier.dense.probabilities(
        svm::apply_scaler(model.classifier.scaler, emotion::join_blocks(test.blocks),
                          emotion::block_weights(o.fusion, roles)));
    for (int64_t i = 0; i < own; ++i) {
      const auto at = static_cast<size_t>(i);
      sure.push_back(std::min(1.0, p.probabilities.data<double>()[i * classes + p.labels[at]]));
      right.push_back(p.labels[at] == test.labels[at]);
      sure_dense.push_back(std::min(1.0, double{dense.data()[i * classes + p.dense_labels[at]]}));
      right_dense.push_back(p.dense_labels[at] == test.labels[at]);
    }
    out_.sure = sure;
    out_.calibration = {{"SVM", statistics::calibrate(sure, right)},
                        {"dense layer", statistics::calibrate(sure_dense, right_dense)}};
    emotion::BranchFeatures primary = test;
    for (Tensor& block : primary.blocks) block = block.rows(0, own);
    primary.labels.resize(static_cast<size_t>(own));
    out_.compactness = compactness_of(prepared, primary, choice);
    out_.objects = objects_of(prepared);
    const network::Evaluation e = network::evaluate_labels(
        {p.labels.begin(), p.labels.begin() + own}, primary.labels, classes);
    model.remarks = {{"training_pictures", std::to_string(prepared.train_features.labels.size())},
                     {"test_pictures", std::to_string(e.samples)},
                     {"test_accuracy", str_cat(e.accuracy)},
                     {"selection", str_cat("alpha and C were chosen by ",
                                           out_.select_by_test ? "the test pictures themselves"
                                                               : "validation pictures")}};
    emotion::save_model(model, options_.fit.out + "/model");
    out_.model = std::move(model);
  }

  // A shallow CNN, trained as the others are, to be asked alone.
  std::optional<emotion::FitResult> learn_shallow(const Round& round, size_t r) {
    if (options_.shallow.model == "none") return std::nullopt;
    emotion::FitOptions f = fit_options(round);
    f.out += "/shallow";
    f.diff1 = options_.shallow;
    f.diff2 = f.supplement = {};
    f.blocks.clear();
    return timed(r, "the shallow CNN",
                 [&] { return emotion::prepare_fit(round.train, f, progress_); });
  }

  void score_shallow(size_t r, const emotion::FitResult& prepared, const TestSet& test) {
    const emotion::BranchFeatures features = emotion::extract_features(
        prepared.model.branches, test.data,
        {.batch_size = options_.fit.extract_batch, .cache = {}, .task = "shallow CNN"}, progress_);
    take(r, "shallow", emotion::own_labels(prepared.model.branches[0].network, features.blocks[0]),
         features.indices, test);
  }

  struct LearntRow {
    const baselines::Row* row;
    std::unique_ptr<baselines::Learnt> learnt;  // null: the journal has its answers
  };

  // All that decides what the baselines answer, their files by size and time.
  std::string baseline_key(const Round& round) const {
    const baselines::Setting& b = options_.baseline;
    Json key = {
        {"settings", settings()},     {"training", train::settings_of(b.training, b.augmentation)},
        {"image_size", b.image_size}, {"positive", b.positive},
        {"alexnet", b.alexnet_model}, {"assisted", b.assisted_model}};
    for (const auto* spec : {&b.lite_emotion, &b.lite_object, &b.lite_category})
      key["lite"].push_back({spec->model, spec->preset, spec->image_size});
    std::vector<std::string> files = {b.alexnet_weights,     b.deepsentibank_weights,
                                      b.assisted_weights,    b.lite_emotion.weights,
                                      b.lite_object.weights, b.lite_category.weights};
    if (!b.pairs.empty())
      for (std::string& path : io::pictures_below(b.pairs)) files.push_back(std::move(path));
    std::string text = key.dump(-1, ' ', false, Json::error_handler_t::replace) + stamps_of(files);
    for (const auto* part : {&round.train, &round.test})
      for (const io::Sample& s : part->samples) text += str_cat(s.path, s.label, "\n");
    return sha256_of_text(text);
  }

  static Json baseline_place(const Round& round, const std::string& row) {
    return {{"round", name_of(round)}, {"baseline", row}};
  }

  std::vector<LearntRow> learn_baselines(const Round& round, size_t r) {
    std::vector<LearntRow> out;
    baselines::Setting setting = options_.baseline;
    setting.validation.classes = round.train.classes;
    if (round.validation) {
      setting.train = round.train;
      setting.validation = *round.validation;
    } else {
      // The same slice that chooses the CNNs' epochs.
      io::Split parts = io::split(round.train, options_.fit.train_fraction, round.seed + 1);
      setting.train = std::move(parts.train);
      setting.validation = std::move(parts.held_out);
    }
    setting.seed = round.seed;
    setting.out = str_cat(options_.fit.out, "/baselines/seed-", round.seed, "-fold-", round.fold);
    const std::string key = baseline_key(round);
    for (const baselines::Row& row : baselines::rows()) {
      const auto& asked = options_.baselines;
      if (std::find(asked.begin(), asked.end(), row.name) == asked.end()) continue;
      const std::string missing = row.needs(setting);
      if (r == 0) out_.baselines.push_back({&row, missing, {}});
      if (!missing.empty()) continue;
      if (journal_.find(key, baseline_place(round, row.name))) {
        out.push_back({&row, nullptr});
        continue;
      }
      try {
        out.push_back({&row, timed(r, row.method + ": learning",
                                   [&] { return row.learn(setting, progress_); })});
      } catch (const Error& e) {  // of one row, which is no reason to lose the others
        give_up(row, e.what());
      }
    }
    return out;
  }

  void give_up(const baselines::Row& row, const std::string& why) {
    tell(row.method + " failed: " + why);
    for (BaselineRow& own : out_.baselines)
      if (own.row == &row) own.not_run = "failed: " + why;
  }

  void score_baselines(size_t r, std::vector<LearntRow>& learnt, const TestSet& test) {
    const std::string key = baseline_key(out_.rounds[r]);
    for (LearntRow& own : learnt) {
      try {
        score_baseline(r, key, own, test);
      } catch (const Error& e) {
        give_up(*own.row, e.what());
      }
      own.learnt.reset();
    }
  }

  void score_baseline(size_t r, const std::string& key, LearntRow& own, const TestSet& test) {
    std::vector<int64_t> every(test.data.samples.size());
    std::iota(every.begin(), every.end(), int64_t{0});
    const std::string name = own.row->name;
    const Json found = journal_.once(key, baseline_place(out_.rounds[r], name), [&] {
      Json result = timed(r, own.row->method + ": test pictures", [&] {
        return Json{{"labels", own.learnt->predict(test.data, progress_)}};
      });
      result["notes"] = own.learnt->notes;
      for (const baselines::Variant& v : own.learnt->variants())
        result["variants"].push_back({v.name, v.labels});
      return result;
    });
    const auto answers = [](const Json& labels) { return labels.get<std::vector<int64_t>>(); };
    take(r, "baseline " + name, answers(found.at("labels")), every, test);
    if (found.contains("variants"))
      for (const Json& v : found.at("variants"))
        take(r, "baseline " + name + ": " + v.at(0).get<std::string>(), answers(v.at(1)), every,
             test);
    if (r > 0) return;
    for (BaselineRow& row : out_.baselines)
      if (row.row == own.row) row.notes = found.at("notes").get<std::vector<std::string>>();
  }

  void collect_times() {
    const Json* found = nullptr;
    for (size_t i = 0; (found = journal_.find("times", {{"number", i}})); ++i)
      out_.timings.push_back({found->at(0), found->at(1)});
  }

  // The result of `work`; how long it took goes into the journal, which outlives a killed run.
  template <class Work>
  std::invoke_result_t<Work> timed(size_t r, const std::string& what, Work&& work) {
    const double start = now();
    auto result = work();
    const double seconds = now() - start;
    size_t number = 0;
    while (journal_.find("times", {{"number", number}})) ++number;
    journal_.add(
        "times", {{"number", number}},
        {out_.rounds.size() > 1 ? str_cat(name_of(out_.rounds[r]).get<std::string>(), ": ", what)
                                : what,
         seconds});
    return result;
  }

  const Options& options_;
  const ProgressFunction& progress_;
  cli::Journal journal_;
  ReadLog log_;
  Study out_;
};

}  // namespace

Study run_study(const Options& options, const ProgressFunction& progress) {
  require(!options.sets.empty(), "reproduce: no set of pictures was named");
  require(options.seeds >= 1 && (options.folds == 0 || options.folds >= 2),
          "reproduce: expected a seed at least, and two folds or none");
  return Runner(options, progress).run();
}

}  // namespace limbic::reproduce
