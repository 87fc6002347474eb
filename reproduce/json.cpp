// OUT/reproduce.json: every number of the page.
#include <ostream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/version.h"
#include "limbic/reproduce/json.h"
#include "limbic/reproduce/paper.h"

namespace limbic::reproduce {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json interval_of(const statistics::Interval& i) { return {i.low, i.high}; }

Json to_json(const Measure& m) {
  Json out = {
      {"accuracy", m.accuracy}, {"samples", m.pictures}, {"interval", interval_of(m.interval)}};
  if (m.rounds.n > 1)
    out["rounds"] = {{"mean", m.rounds.mean}, {"deviation", m.rounds.deviation}, {"n", m.rounds.n}};
  return out;
}

Json to_json(const Comparison& c) {
  return {{"difference", c.difference},
          {"interval", interval_of(c.interval)},
          {"p", c.test.p},
          {"only_first", c.test.only_a},
          {"only_second", c.test.only_b}};
}

const PaperSet* paper_set(const std::string& key) {
  for (const PaperSet& set : paper_sets())
    if (set.key == key) return &set;
  return nullptr;
}

Json skipped(const std::vector<io::SkippedSample>& samples) {
  Json out = Json::array();
  for (const auto& s : samples) out.push_back({{"image", s.path}, {"reason", s.reason}});
  return out;
}

Json table1(const Study& study) {
  Json out = Json::array();
  for (const SetCheck& check : study.checks) {
    Json counts = Json::object(), printed = Json::object();
    int64_t total = 0;
    for (size_t c = 0; c < study.classes.size(); ++c) {
      counts[study.classes[c]] = check.counts[c];
      total += check.counts[c];
    }
    if (const PaperSet* set = paper_set(check.key))
      for (size_t c = 0; c < io::eight_emotions().size(); ++c)
        if (set->counts[c]) printed[io::eight_emotions()[c]] = *set->counts[c];
    out.push_back({{"set", check.key},
                   {"path", check.path},
                   {"counts", counts},
                   {"total", total},
                   {"printed", printed},
                   {"unusable", skipped(check.unusable)},
                   {"placeholders", skipped(check.placeholders)},
                   {"left_out", skipped(check.left_out)},
                   {"duplicates", check.duplicates},
                   {"notes", check.notes}});
  }
  return out;
}

Json table2(const Study& study, const Options& options) {
  Json out = Json::array();
  for (const SetResult& set : study.sets)
    for (const bool alpha : {true, false})
      for (double value : alpha ? options.alpha : options.beta) {
        const auto fusion =
            alpha ? emotion::Fusion::with_alpha(value) : emotion::Fusion::with_beta(value);
        for (const bool svm : {false, true}) {
          const std::string method = method_of(fusion, svm);
          if (!set.has(method)) continue;
          Json row = {{"set", set.key},
                      {alpha ? "alpha" : "beta", value},
                      {"classifier", svm ? "svm" : "dense"}};
          row.update(to_json(measure(set, method)));
          const auto printed = alpha ? table2_alpha(set.key, value) : table2_beta(set.key, value);
          if (!svm && printed) row["printed"] = *printed / 100;
          out.push_back(std::move(row));
        }
      }
  return out;
}

Json table3(const Study& study) {
  Json out = Json::array();
  for (const SetResult& set : study.sets) {
    for (const BaselineRow& b : study.baselines) {
      Json row = {{"method", b.row->method}, {"set", set.key}};
      if (set.key == "fi") row["printed"] = b.row->printed;
      const std::string method = "baseline " + b.row->name;
      if (set.has(method)) {
        row.update(to_json(measure(set, method)));
        row["notes"] = b.notes;
      } else {
        row["not_run"] = b.not_run.empty() ? "needs pictures that can be read" : b.not_run;
      }
      out.push_back(std::move(row));
    }
    for (const auto& [method, printed, name] :
         {std::tuple{"best beta svm", printed::beta_svm, "Supplementary-feature amplification"},
          std::tuple{"best alpha svm", printed::alpha_svm, "Differential convex-combination"}}) {
      if (!set.has(method)) continue;
      Json row = {{"method", name}, {"set", set.key}};
      if (set.key == "fi") row["printed"] = printed / 100;
      row.update(to_json(measure(set, method)));
      out.push_back(std::move(row));
    }
  }
  return out;
}

Json figures(const Study& study, const Options& options, Json& fig3) {
  Json fig2 = Json::array();
  fig3 = Json::array();
  const SetResult& set = study.sets[0];
  for (const char* method : {"diff1", "diff2", "best alpha svm", "best beta svm"})
    if (set.has(method))
      fig2.push_back({{"method", method},
                      {"classes", study.classes},
                      {"confusion", measure(set, method).confusion}});
  for (const bool alpha : {true, false})
    for (double C : options.C)
      if (const auto method = method_of_C(C, alpha); set.has(method)) {
        Json row = {{"model", alpha ? "alpha" : "beta"}, {"C", C}};
        row.update(to_json(measure(set, method)));
        fig3.push_back(std::move(row));
      }
  return fig2;
}

Json claims(const Study& study) {
  Json out = Json::array();
  for (const Claim& claim : claims_of(study)) {
    Json row = {{"claim", claim.text},
                {"set", claim.set},
                {"printed", claim.printed},
                {"compared", claim.compared}};
    if (claim.comparison) row.update(to_json(*claim.comparison));
    if (claim.measure) row.update(to_json(*claim.measure));
    if (!claim.not_run.empty()) row["not_run"] = claim.not_run;
    if (const auto verdict = claim.verdict(); !verdict.empty()) row["verdict"] = verdict;
    out.push_back(std::move(row));
  }
  return out;
}

Json pairs(const Study& study) {
  Json out = Json::array();
  for (const Pair& pair : pairs_of(study)) {
    Json row = {{"first", pair.first}, {"second", pair.second}};
    row.update(to_json(pair.comparison));
    out.push_back(std::move(row));
  }
  return out;
}

Json choices(const Study& study) {
  Json out = Json::array();
  for (size_t r = 0; r < study.choices.size(); ++r) {
    const Choice& c = study.choices[r];
    Json row = {{"seed", study.rounds[r].seed}, {"fold", study.rounds[r].fold},
                {"alpha_dense", c.alpha_dense}, {"beta_dense", c.beta_dense},
                {"alpha_svm", c.alpha_svm},     {"alpha_C", c.alpha_C},
                {"beta_svm", c.beta_svm},       {"beta_C", c.beta_C}};
    if (c.grid_alpha)
      row["grid"] = {{"alpha", *c.grid_alpha},
                     {"beta", *c.grid_beta},
                     {"C", *c.grid_C},
                     {"gamma", *c.grid_gamma},
                     {"cross_validated", number_or_null(c.grid_accuracy)}};
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

nlohmann::ordered_json json_of(const Study& study, const Options& options,
                               const std::string& command) {
  Json fig3, timings = Json::array(), objects = Json::object(), compactness = Json::array(),
             calibration = Json::array(), near = Json::array();
  const Json fig2 = figures(study, options, fig3);
  for (const Timing& t : study.timings)
    timings.push_back({{"what", t.what}, {"seconds", t.seconds}});
  for (const EmotionObjects& e : study.objects)
    for (const auto& [name, excess] : e.objects) objects[e.emotion].push_back({name, excess});
  for (const Compactness& c : study.compactness)
    compactness.push_back(
        {{"vector", c.vector}, {"within", c.scatter.within}, {"between", c.scatter.between}});
  for (const Calibrated& c : study.calibration) {
    Json bins = Json::array();
    for (const auto& b : c.calibration.bins)
      bins.push_back({{"low", b.low},
                      {"high", b.high},
                      {"samples", b.samples},
                      {"confidence", b.confidence},
                      {"accuracy", b.accuracy}});
    calibration.push_back({{"method", c.method}, {"ece", c.calibration.ece}, {"bins", bins}});
  }
  for (const NearDuplicate& n : study.near_duplicates) near.push_back({n.train, n.test});
  Json estimate = {{"seconds", study.estimate.seconds},
                   {"fi_epoch_seconds", study.estimate.fi_epoch_seconds}};
  for (const Timing& t : study.estimate.parts) estimate["parts"].push_back({t.what, t.seconds});
  return {
      {"limbic", limbic::version()},
      {"command", command},
      {"selection", study.select_by_test ? "test pictures (--select test)" : "validation pictures"},
      {"classes", study.classes},
      {"table1", table1(study)},
      {"table2", table2(study, options)},
      {"table3", table3(study)},
      {"fig2", fig2},
      {"fig3", fig3},
      {"claims", claims(study)},
      {"pairs", pairs(study)},
      {"choices", choices(study)},
      {"compactness", compactness},
      {"calibration", calibration},
      {"objects", objects},
      {"near_duplicates", near},
      {"skipped", skipped(study.skipped)},
      {"hashes", study.hashes},
      {"estimate", estimate},
      {"timings", timings},
      {"notes", study.notes}};
}

}  // namespace limbic::reproduce
