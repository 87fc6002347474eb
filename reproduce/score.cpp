#include "limbic/reproduce/score.h"

#include <algorithm>
#include <numeric>

#include "limbic/core/error.h"
#include "limbic/network/imagenet.h"
#include "limbic/svm/sweep.h"

namespace limbic::reproduce {
namespace {

using Json = cli::Journal::Json;
using emotion::Fusion;

bool weighs_something(const Fusion& fusion, const std::vector<std::string>& roles) {
  const auto weights = emotion::block_weights(fusion, roles);
  return std::any_of(weights.begin(), weights.end(), [](double w) { return w != 0; });
}

Json place_of(const Json& round, const char* stage, const Fusion& fusion, std::optional<double> C) {
  Json out = {{"round", round}, {"stage", stage}};
  if (fusion.alpha) out["alpha"] = *fusion.alpha;
  if (fusion.beta) out["beta"] = *fusion.beta;
  if (C) out["C"] = *C;
  return out;
}

// The features, and how they are classified, C and fusion apart.
std::string key_of(const Options& options, const emotion::FitResult& prepared) {
  const emotion::ClassifierOptions& o = options.fit.classifier;
  return str_cat(emotion::hash_of_features(prepared), " ", o.scale_blocks, " ",
                 static_cast<int>(o.gamma_rule), " ", o.gamma, " ", static_cast<int>(o.kernel), " ",
                 o.seed);
}

// One cell of a sweep as the journal keeps it.
struct Cell {
  std::vector<int64_t> labels;
  double validation = -1;
};

using Wanted = std::function<bool(const Fusion&, std::optional<double>)>;

// The cells of all fusions and C that are wanted, from the journal or computed.
std::map<std::string, Cell> cells_of(const Options& options, const std::vector<Fusion>& fusions,
                                     const std::vector<double>& Cs, const Wanted& wanted,
                                     const emotion::FitResult& prepared, const char* stage,
                                     cli::Journal& journal, const Json& round,
                                     const ProgressFunction& progress) {
  const std::string key = key_of(options, prepared);
  std::map<std::string, Cell> out;
  int64_t total = 0, done = 0;
  const auto take = [&](const Json& place, const Json& result) {
    out[place.dump()] = {result.at("labels").get<std::vector<int64_t>>(), result.at("validation")};
    ++done;
    if (progress)
      progress({.task = str_cat("round ", round.dump(), ", ", stage, ": classifiers"),
                .done = done,
                .total = total,
                .unit = "cell"});
  };
  std::vector<std::optional<double>> all = {std::nullopt};
  all.insert(all.end(), Cs.begin(), Cs.end());
  for (const Fusion& f : fusions)
    for (const auto& C : all) total += wanted(f, C);
  for (const Fusion& f : fusions)
    for (const auto& C : all)
      if (wanted(f, C))
        if (const Json place = place_of(round, stage, f, C);
            const Json* found = journal.find(key, place))
          take(place, *found);
  if (done == total) return out;
  emotion::FusionSweepOptions sweep{
      .fusions = fusions, .C = Cs, .classifier = options.fit.classifier};
  sweep.known = [&](size_t f, std::optional<double> C) {
    return !wanted(fusions[f], C) || out.contains(place_of(round, stage, fusions[f], C).dump());
  };
  emotion::sweep_fusions(prepared, sweep, [&](const emotion::FusionCell& cell) {
    const Json place = place_of(round, stage, fusions[cell.fusion], cell.C);
    const Json result = {{"labels", cell.test_labels},
                         {"validation", cell.validation_accuracy.value_or(-1)}};
    journal.add(key, place, result);
    take(place, result);
  });
  return out;
}

struct Best {
  double value = 0, C = 0;
};
Best best_of(const std::vector<Fusion>& fusions, const std::vector<std::optional<double>>& Cs,
             const std::function<double(const Fusion&, std::optional<double>)>& score) {
  const emotion::BestCell best = emotion::best_cell(
      fusions.size(), Cs.size(), [&](size_t f, size_t c) { return score(fusions[f], Cs[c]); });
  const Fusion& fusion = fusions[best.fusion];
  return {fusion.alpha ? *fusion.alpha : *fusion.beta, Cs[best.C].value_or(0)};
}

std::vector<Fusion> all_of(const Fusions& fusions) {
  std::vector<Fusion> out = fusions.alpha;
  out.insert(out.end(), fusions.beta.begin(), fusions.beta.end());
  out.insert(out.end(), fusions.more.begin(), fusions.more.end());
  return out;
}

Choice choice_by(const Fusions& fusions, const std::vector<double>& Cs,
                 const std::function<double(const Fusion&, std::optional<double>)>& score) {
  Choice out;
  const std::vector<std::optional<double>> dense = {std::nullopt}, svm(Cs.begin(), Cs.end());
  out.alpha_dense = best_of(fusions.alpha, dense, score).value;
  out.beta_dense = best_of(fusions.beta, dense, score).value;
  const Best alpha = best_of(fusions.alpha, svm, score), beta = best_of(fusions.beta, svm, score);
  out.alpha_svm = alpha.value, out.alpha_C = alpha.C;
  out.beta_svm = beta.value, out.beta_C = beta.C;
  for (const Fusion& f : all_of(fusions)) out.C[method_of(f, true)] = best_of({f}, svm, score).C;
  return out;
}

double share_right(const std::vector<int64_t>& predicted, const std::vector<int64_t>& truth,
                   int64_t n) {
  int64_t right = 0;
  for (int64_t i = 0; i < n; ++i)
    right += predicted[static_cast<size_t>(i)] == truth[static_cast<size_t>(i)];
  return n > 0 ? static_cast<double>(right) / static_cast<double>(n) : 0;
}

// Columns of all blocks, standardised by the training rows and weighted.
Tensor fused(const emotion::FitResult& prepared, const std::vector<Tensor>& blocks,
             const Fusion& fusion) {
  const auto roles = prepared.model.roles();
  const svm::BlockScaler scaler =
      svm::fit_scaler(emotion::join_blocks(prepared.train_features.blocks),
                      emotion::feature_blocks(roles, prepared.train_features.blocks));
  return svm::apply_scaler(scaler, emotion::join_blocks(blocks),
                           emotion::block_weights(fusion, roles));
}

}  // namespace

Fusions fusions_of(const Options& options, const std::vector<std::string>& roles) {
  Fusions out;
  const auto keep = [&](std::vector<Fusion>& list, const Fusion& fusion) {
    if (weighs_something(fusion, roles)) list.push_back(fusion);
  };
  for (double a : options.alpha) keep(out.alpha, Fusion::with_alpha(a));
  for (double b : options.beta) keep(out.beta, Fusion::with_beta(b));
  require(!out.alpha.empty() && !out.beta.empty(),
          "reproduce: no alpha or no beta is left that gives a CNN a weight");
  for (double a : options.alpha) keep(out.more, Fusion::with_both(a, 0));
  keep(out.more, Fusion::with_both(1, 0));
  keep(out.more, Fusion::with_both(0, 0));
  keep(out.more, Fusion::with_beta(1));
  // Each once.
  std::vector<Fusion> once;
  for (const Fusion& f : out.more)
    if (std::none_of(once.begin(), once.end(),
                     [&](const Fusion& g) { return g.alpha == f.alpha && g.beta == f.beta; }))
      once.push_back(f);
  std::erase_if(once, [&](const Fusion& f) {
    return std::any_of(out.beta.begin(), out.beta.end(),
                       [&](const Fusion& g) { return !f.alpha && f.beta == g.beta; });
  });
  out.more = std::move(once);
  return out;
}

std::optional<Choice> choose(const Options& options, const Fusions& fusions,
                             const emotion::FitResult& prepared, cli::Journal& journal,
                             const Json& round, const ProgressFunction& progress) {
  if (prepared.validation_rows.empty()) return std::nullopt;
  emotion::FitResult own = prepared;
  own.test_features = {};
  const auto cells = cells_of(
      options, all_of(fusions), options.C, [](auto&&...) { return true; }, own, "select", journal,
      round, progress);
  return choice_by(fusions, options.C, [&](const Fusion& f, std::optional<double> C) {
    return cells.at(place_of(round, "select", f, C).dump()).validation;
  });
}

Answers answer_all(const Options& options, const Fusions& fusions,
                   const emotion::FitResult& prepared, const emotion::BranchFeatures& test,
                   int64_t own, std::optional<Choice>& choice, cli::Journal& journal,
                   const Json& round, const ProgressFunction& progress) {
  emotion::FitResult final = prepared;
  final.test_features = test;
  final.validation_rows.clear();
  const auto wanted = [&](const Fusion& f, std::optional<double> C) {
    if (!C || !choice) return true;
    if (choice->C.at(method_of(f, true)) == *C) return true;
    return (f.alpha && !f.beta && *f.alpha == choice->alpha_svm) ||
           (f.beta && !f.alpha && *f.beta == choice->beta_svm);  // figure 3
  };
  const auto cells = cells_of(options, all_of(fusions), options.C, wanted, final, "test", journal,
                              round, progress);
  const auto labels = [&](const Fusion& f, std::optional<double> C) -> const std::vector<int64_t>& {
    return cells.at(place_of(round, "test", f, C).dump()).labels;
  };
  if (!choice)
    choice = choice_by(fusions, options.C, [&](const Fusion& f, std::optional<double> C) {
      return share_right(labels(f, C), test.labels, own);
    });
  Answers out;
  for (const Fusion& f : all_of(fusions)) {
    out[method_of(f, false)] = labels(f, std::nullopt);
    out[method_of(f, true)] = labels(f, choice->C.at(method_of(f, true)));
  }
  const Fusion alpha = Fusion::with_alpha(choice->alpha_svm),
               beta = Fusion::with_beta(choice->beta_svm);
  out["best alpha dense"] = labels(Fusion::with_alpha(choice->alpha_dense), std::nullopt);
  out["best beta dense"] = labels(Fusion::with_beta(choice->beta_dense), std::nullopt);
  out["best alpha svm"] = labels(alpha, choice->alpha_C);
  out["best beta svm"] = labels(beta, choice->beta_C);
  for (double C : options.C) {
    out[method_of_C(C, true)] = labels(alpha, C);
    out[method_of_C(C, false)] = labels(beta, C);
  }
  for (size_t i = 0; i < prepared.model.branches.size(); ++i) {
    const emotion::Branch& b = prepared.model.branches[i];
    if (b.external || b.role == "supplement" ||
        b.network.model.classes != std::ssize(prepared.model.classes) ||
        !prepared.trainings.contains(b.role))
      continue;
    if (auto answers = emotion::own_labels(b.network, test.blocks[i]); !answers.empty())
      out[b.role] = std::move(answers);
  }
  return out;
}

void choose_together(const Options& options, const emotion::FitResult& prepared, Choice& choice,
                     cli::Journal& journal, const Json& round, const ProgressFunction& progress) {
  const std::vector<std::string> roles = prepared.model.roles();
  const emotion::BranchFeatures& train = prepared.train_features;
  const std::vector<int> labels(train.labels.begin(), train.labels.end());
  constexpr int folds = 5;
  const Json found = journal.once(
      key_of(options, prepared),
      {{"round", round}, {"stage", "grid"}, {"alpha", options.alpha}, {"beta", options.beta}}, [&] {
        const Tensor joined = emotion::join_blocks(train.blocks);
        const svm::BlockScaler scaler =
            svm::fit_scaler(joined, emotion::feature_blocks(roles, train.blocks),
                            {.mode = options.fit.classifier.scale_blocks ? svm::ScaleMode::standard
                                                                         : svm::ScaleMode::none});
        const Tensor scaled = svm::apply_scaler(scaler, joined);
        std::vector<Tensor> blocks;
        for (const svm::FeatureBlock& b : scaler.blocks)
          blocks.push_back(svm::take_columns(scaled, b));
        struct Place {
          double alpha, beta, gamma;
        };
        std::vector<Place> places;
        svm::SweepOptions sweep{.kernels = {}, .C = {0.5, 1.5, 5}, .fold = {}, .svc = {}};
        sweep.svc.seed = options.fit.classifier.seed;
        sweep.fold = svm::deal_folds(labels, folds, options.fit.classifier.seed);
        for (double alpha : options.alpha)
          for (double beta : options.beta) {
            const Fusion f = Fusion::with_both(alpha, beta);
            if (!weighs_something(f, roles)) continue;
            const auto weights = emotion::block_weights(f, roles);
            for (double factor : {0.5, 1.0, 2.0}) {
              const double gamma =
                  factor * emotion::fusion_gamma(options.fit.classifier, scaler, weights);
              places.push_back({alpha, beta, gamma});
              sweep.kernels.push_back({weights, gamma});
            }
          }
        Json best;
        double most = -1;
        int64_t done = 0;
        const auto total = std::ssize(places) * std::ssize(sweep.C);
        svm::sweep(blocks, labels, sweep, [&](const svm::SweepCell& cell) {
          int64_t right = 0;
          for (size_t i = 0; i < labels.size(); ++i) right += cell.predicted[i] == labels[i];
          const double accuracy = static_cast<double>(right) / static_cast<double>(labels.size());
          const Place& p = places[cell.kernel];
          if (accuracy > most) {
            most = accuracy;
            best = {{"alpha", p.alpha},
                    {"beta", p.beta},
                    {"gamma", p.gamma},
                    {"C", cell.C},
                    {"accuracy", accuracy}};
          }
          if (progress)
            progress(
                {.task = str_cat("round ", round.dump(), ": alpha, beta, C and gamma together"),
                 .done = ++done,
                 .total = total,
                 .unit = "cell"});
        });
        return best;
      });
  choice.grid_alpha = found.at("alpha"), choice.grid_beta = found.at("beta");
  choice.grid_gamma = found.at("gamma"), choice.grid_C = found.at("C");
  choice.grid_accuracy = found.at("accuracy");
}

std::vector<Compactness> compactness_of(const emotion::FitResult& prepared,
                                        const emotion::BranchFeatures& test, const Choice& choice) {
  const auto roles = prepared.model.roles();
  std::vector<Compactness> out;
  const auto add = [&](const std::string& name, const Fusion& fusion) {
    if (weighs_something(fusion, roles))
      out.push_back({name, statistics::scatter(fused(prepared, test.blocks, fusion), test.labels)});
  };
  add("X1 alone", Fusion::with_both(1, 0));
  add("X2 alone", Fusion::with_both(0, 0));
  add("S alone", Fusion::with_beta(1));
  add("X1 and X2 side by side (alpha 0.5), without S", Fusion::with_both(0.5, 0));
  add(str_cat("X1 and X2 mixed by alpha ", choice.alpha_svm, ", without S"),
      Fusion::with_both(choice.alpha_svm, 0));
  add(str_cat("X1, X2 and S, alpha ", choice.alpha_svm), Fusion::with_alpha(choice.alpha_svm));
  add(str_cat("X1, X2 and S, beta ", choice.beta_svm), Fusion::with_beta(choice.beta_svm));
  return out;
}

std::vector<EmotionObjects> objects_of(const emotion::FitResult& prepared) {
  const auto& branches = prepared.model.branches;
  size_t at = 0;
  while (at < branches.size() && branches[at].role != "supplement") ++at;
  if (at == branches.size() || branches[at].external) return {};
  const Tensor& s = prepared.train_features.blocks[at];
  const auto& labels = prepared.train_features.labels;
  const auto classes = prepared.model.classes.size();
  const auto width = static_cast<size_t>(s.dim(1));
  std::vector<std::string> names = branches[at].network.labels;
  if (names.size() != width && width == 1000) names = network::imagenet_classes();
  std::vector<std::vector<double>> mean(classes, std::vector<double>(width));
  std::vector<double> all(width), pictures(classes);
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto c = static_cast<size_t>(labels[i]);
    ++pictures[c];
    for (size_t k = 0; k < width; ++k) {
      const double p = double{s.data()[i * width + k]};
      mean[c][k] += p;
      all[k] += p / static_cast<double>(labels.size());
    }
  }
  std::vector<EmotionObjects> out;
  for (size_t c = 0; c < classes; ++c) {
    if (pictures[c] == 0) continue;
    std::vector<size_t> order(width);
    std::iota(order.begin(), order.end(), size_t{0});
    const auto excess = [&](size_t k) { return mean[c][k] / pictures[c] - all[k]; };
    const size_t shown = std::min<size_t>(4, width);
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(shown), order.end(),
                      [&](size_t a, size_t b) { return excess(a) > excess(b); });
    EmotionObjects own{prepared.model.classes[c], {}};
    for (size_t k = 0; k < shown; ++k)
      if (excess(order[k]) > 0)
        own.objects.emplace_back(
            names.size() == width ? names[order[k]] : str_cat("class ", order[k]),
            excess(order[k]));
    out.push_back(std::move(own));
  }
  return out;
}

}  // namespace limbic::reproduce
