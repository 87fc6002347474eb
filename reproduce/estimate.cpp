#include "limbic/reproduce/estimate.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/clock.h"
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/models/models.h"
#include "limbic/network/predictor.h"
#include "limbic/reproduce/paper.h"
#include "limbic/svm/svc.h"

namespace limbic::reproduce {
namespace {

// Seconds for one picture of a pass through a network, the best of two.
double measure_pass(const network::Network& n, int64_t batch) {
  network::Predictor predictor(n.model, n.parameters, network::input_shape(batch, n.preset));
  Tensor images(network::input_shape(batch, n.preset));
  Random random(1, hash_name("pass"));
  for (float& v : images.values()) v = static_cast<float>(random.normal());
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double start = now();
    predictor.plan().run(images);
    const double seconds = now() - start;
    if (i == 1 || (i == 2 && seconds < best)) best = seconds;
  }
  return best / static_cast<double>(batch);
}

// Seconds to decode a picture that is learnt from, all cores at it.
double measure_decoding(const io::Dataset& data) {
  const int64_t n = std::min<int64_t>(data.size(), 16);
  const double start = now();
  parallel_for_dynamic(n, [&](int64_t i) {
    io::reason_to_skip(
        "", [&] { io::decode_file(data.samples[static_cast<size_t>(i * data.size() / n)].path); });
  });
  return (now() - start) / static_cast<double>(n);
}

// Seconds of one SVM fit of `rows` rows, from a small one: products grow with the square.
double measure_svm(int64_t rows, int64_t width, int64_t classes) {
  const int64_t n = std::min<int64_t>(rows, 400);
  Tensor x({n, width});
  Random random(1, hash_name("svm"));
  std::vector<int> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % classes));
  for (int64_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(random.normal()) +
                  0.1f * static_cast<float>(i / width % classes == i % width % classes);
  const double start = now();
  svm::train_svc(x, labels, {.C = 1.5});
  const double scale = static_cast<double>(rows) / static_cast<double>(n);
  return (now() - start) * scale * scale;
}

}  // namespace

std::string duration(double seconds) {
  const auto minutes = static_cast<int64_t>(std::lround(seconds / 60));
  if (seconds < 90) return str_cat(static_cast<int64_t>(std::ceil(seconds)), " s");
  if (minutes < 60) return str_cat(minutes, " min");
  return str_cat(minutes / 60, " h ", minutes % 60, " min");
}

Estimate estimate(const Options& options, const Sets& sets, const std::vector<Round>& rounds) {
  Estimate out;
  const auto classes = std::ssize(sets.sets[0].data.classes);
  const auto rounds_run = static_cast<double>(rounds.size());
  const double share = options.fit.train_fraction;
  const auto learning = static_cast<double>(rounds[0].train.size());
  double all = 0;
  for (const SetResult& set : sets.sets) all += static_cast<double>(set.data.size());
  const double small = all - static_cast<double>(sets.sets[0].data.size());
  const double seen = learning + static_cast<double>(rounds[0].test.size()) + small;
  const bool trains = options.fit.training.epochs > 0;
  const double epochs = static_cast<double>(options.fit.training.epochs);
  const double decoding = measure_decoding(rounds[0].train);
  int64_t width = 0;
  double passes = 0;
  std::vector<std::string> notes;
  for (const auto& [role, spec] :
       {std::pair{"diff1", &options.fit.diff1}, std::pair{"diff2", &options.fit.diff2},
        std::pair{"supplement", &options.fit.supplement}}) {
    if (spec->model == "none") continue;
    const bool supplement = role == std::string("supplement");
    const emotion::Branch b =
        emotion::make_branch(role, *spec, supplement || !trains ? 0 : classes, options.seed, notes);
    const double pass = measure_pass(b.network, options.fit.extract_batch);
    passes += pass;
    width += b.network.model.graph
                 .infer(network::input_shape(1, b.network.preset))[static_cast<size_t>(
                     b.network.model.graph.find(supplement ? "logits" : "features"))]
                 .back();
    if (supplement || !trains) continue;
    const double step = train::measure_step(b.network.model, b.network.parameters, b.network.preset,
                                            options.fit.training);
    // 85 % of the pictures to learn from train, the others are looked at after each epoch.
    const double picture = share * step + (1 - share) * pass + decoding;
    out.parts.push_back({str_cat(role, " ", b.network.model.name, ": ", epochs, " epochs"),
                         rounds_run * epochs * learning * picture});
    out.fi_epoch_seconds += share * static_cast<double>(paper_sets()[0].total) * picture;
  }
  const double rounds_of_features = trains ? rounds_run : 1;
  out.parts.push_back(
      {"features of all pictures", rounds_of_features * seen * (passes + decoding)});
  out.fi_epoch_seconds += static_cast<double>(paper_sets()[0].total) * (passes + decoding);
  const auto cells =
      static_cast<double>((options.alpha.size() + options.beta.size() + options.alpha.size() + 2) *
                          (options.C.size() + 4));
  out.parts.push_back({"classifiers", rounds_run * cells *
                                          measure_svm(static_cast<int64_t>(learning),
                                                      std::max<int64_t>(width, 1), classes)});
  for (const Timing& part : out.parts) out.seconds += part.seconds;
  return out;
}

}  // namespace limbic::reproduce
