#include "limbic/session/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::session {

// One caller's plans, a network each. Those for more pictures than kernels were chosen for are made
// when they are needed; they share the weights.
struct Session::Lane {
  std::vector<std::unique_ptr<Plan>> plans, larger;
};

// A lane for as long as it stands: one that is idle, else a new one; where all cores have one, the
// first that comes back.
class Session::Lease {
 public:
  explicit Lease(const Session& session) : session_(session) {
    std::unique_lock lock(session_.mutex_);
    const int64_t most = std::max(1, available_cores());
    session_.returned_.wait(lock, [&] { return session_.active_ < most; });
    alone_ = session_.active_++ > 0 && threads() > 1;
    if (auto& idle = session_.idle_[alone_]; !idle.empty()) {
      lane_ = std::move(idle.back());
      idle.pop_back();
      return;
    }
    lock.unlock();
    try {
      lane_ = make();
    } catch (...) {
      give_back();
      throw;
    }
  }
  ~Lease() { give_back(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Plan& plan(size_t member, int64_t pictures) const {
    Plan& chosen = *lane_->plans[member];
    Shape shape = chosen.input_shape();
    if (pictures <= shape[0]) return chosen;
    auto& larger = lane_->larger[member];
    shape[0] = session_.batch_;
    if (!larger) larger = std::make_unique<Plan>(chosen, shape);
    return *larger;
  }

 private:
  void give_back() {
    const std::lock_guard lock(session_.mutex_);
    if (lane_) session_.idle_[alone_].push_back(std::move(lane_));
    --session_.active_;
    session_.returned_.notify_one();
  }

  std::unique_ptr<Lane> make() const {
    const std::lock_guard lock(session_.making_);
    auto lane = std::make_unique<Lane>();
    for (Member& m : session_.members_) {
      if (alone_ && !m.alone)
        m.alone = std::make_shared<Program>(*m.program, m.program->options().input, 1);
      lane->plans.push_back(std::make_unique<Plan>(alone_ ? m.alone : m.program));
    }
    lane->larger.resize(lane->plans.size());
    return lane;
  }

  const Session& session_;
  bool alone_ = false;
  std::unique_ptr<Lane> lane_;
};

Session::Session(network::Network network, PlanOptions options, std::vector<std::string> labels,
                 int64_t batch)
    : network_(std::move(network)),
      kind_(network_->kind),
      labels_(std::move(labels)),
      batch_(batch) {
  require(network_->has_classifier,
          "the checkpoint has no classifier, so nothing is known of "
          "classes; extract and fit work on its features");
  const int64_t classes = kind_ == network::OutputKind::binary ? 2 : network_->model.classes;
  if (labels_.empty())
    for (int64_t c = 0; c < classes; ++c) labels_.push_back(std::to_string(c));
  require(std::ssize(labels_) == classes, labels_.size(), " labels for ", classes, " classes");
  add_member({&*network_, "logits"}, std::move(options));
}

Session::Session(emotion::EmotionModel model, int64_t chosen_for, int64_t batch)
    : model_(std::move(model)), labels_(model_->classes), batch_(batch) {
  for (const emotion::Branch& b : model_->branches) b.require_features();
  for (const emotion::Branch& b : model_->branches)
    add_member({&b.network, b.layer, b.softmax},
               PlanOptions::inference(network::input_shape(chosen_for, b.network.preset)));
}

Session::~Session() = default;

void Session::add_member(Member member, PlanOptions options) {
  const network::Network& n = *member.network;
  const auto same = std::find(presets_.begin(), presets_.end(), n.preset);
  member.input = static_cast<size_t>(same - presets_.begin());
  if (same == presets_.end()) presets_.push_back(n.preset);
  options.keep = {member.layer, "features"};
  const std::vector<Shape> shapes = n.model.graph.infer(network::input_shape(1, n.preset));
  const std::string& features = model_ ? member.layer : "features";
  feature_width_ += count(shapes[static_cast<size_t>(n.model.graph.find(features))]);
  member.program = std::make_shared<Program>(n.model.graph, n.parameters, std::move(options));
  members_.push_back(std::move(member));
}

const Program& Session::program() const { return *members_.front().program; }

Prepared Session::prepare(std::span<const uint8_t> file, const std::string& name) const {
  const ThreadScope alone(1);
  std::optional<io::Picture> decoded[2];  // as it is, and turned after EXIF
  Prepared out;
  for (const io::Preset& preset : presets_) {
    auto& picture = decoded[preset.apply_exif];
    if (!picture) picture = io::decode(file, name, preset.decode_options());
    Tensor image = Tensor::uninitialised(network::input_shape(1, preset));
    io::preprocess(*picture, preset, image.data());
    out.images.push_back(std::move(image));
  }
  return out;
}

Prepared Session::prepare(const io::Picture& picture) const {
  const ThreadScope alone(1);
  Prepared out;
  for (const io::Preset& preset : presets_) {
    Tensor image = Tensor::uninitialised(network::input_shape(1, preset));
    io::preprocess(picture, preset, image.data());
    out.images.push_back(std::move(image));
  }
  return out;
}

Tensor Session::gather(std::span<const Prepared> pictures, size_t input) const {
  if (pictures.size() == 1) return pictures[0].images[input];
  Tensor out = Tensor::uninitialised(network::input_shape(std::ssize(pictures), presets_[input]));
  const auto row = static_cast<size_t>(pictures[0].images[input].bytes());
  for (size_t i = 0; i < pictures.size(); ++i)
    std::memcpy(static_cast<uint8_t*>(out.raw()) + i * row, pictures[i].images[input].raw(), row);
  return out;
}

// (n,D) of each network: of `layer`, or where that is empty of the layer that the model asks for.
std::vector<Tensor> Session::run(std::span<const Prepared> pictures,
                                 const std::string& layer) const {
  const Lease lease(*this);
  std::vector<Tensor> out;
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& m = members_[i];
    Plan& plan = lease.plan(i, std::ssize(pictures));
    plan.run(gather(pictures, m.input));
    Tensor rows = plan.output(layer.empty() ? m.layer : layer);
    rows = rows.reshape({rows.dim(0), rows.size() / rows.dim(0)});
    require(all_finite(rows), m.layer, ": the network gives NaN or infinity for a picture");
    if (m.softmax) softmax_rows(rows.values(), rows.dim(1), rows.values());
    out.push_back(std::move(rows));
  }
  return out;
}

namespace {

// Probabilities of a picture's classes. One output is that of yes (class 1) against no (class 0).
std::vector<double> probabilities_of(std::span<const float> logits, network::OutputKind kind) {
  const auto sigmoid = [](float x) { return 1 / (1 + std::exp(-x)); };
  std::vector<float> out(logits.begin(), logits.end());
  if (kind == network::OutputKind::classes)
    softmax_rows(logits, std::ssize(logits), out);
  else if (kind == network::OutputKind::binary)
    out = {1 - sigmoid(logits[0]), sigmoid(logits[0])};
  else
    for (float& p : out) p = sigmoid(p);
  return {out.begin(), out.end()};
}

}  // namespace

void Session::answer_part(std::span<const Prepared> pictures, std::vector<Answer>& out) const {
  const std::vector<Tensor> rows = run(pictures, "");
  const int64_t n = std::ssize(pictures);
  if (!model_) {
    for (int64_t i = 0; i < n; ++i) {
      Answer a{probabilities_of(rows[0].rows(i, i + 1).values(), kind_)};
      a.label = most_probable(a.probabilities, 1)[0];
      out.push_back(std::move(a));
    }
    return;
  }
  const int64_t classes = std::ssize(labels_);
  const emotion::Prediction p =
      emotion::classify(model_->classifier, model_->roles(), rows, classes);
  for (int64_t i = 0; i < n; ++i) {
    const double* row = p.probabilities.data<double>() + i * classes;
    out.push_back({{row, row + classes}, p.labels[static_cast<size_t>(i)]});
  }
}

std::vector<Answer> Session::answer(std::span<const Prepared> pictures) const {
  std::vector<Answer> out;
  const auto part = static_cast<size_t>(batch_);
  for (size_t begin = 0; begin < pictures.size(); begin += part)
    answer_part(pictures.subspan(begin, std::min(part, pictures.size() - begin)), out);
  return out;
}

std::vector<Session::Outcome> Session::answer_each(size_t n, const Prepare& prepare) const {
  std::vector<Outcome> out(n);
  const auto part = static_cast<size_t>(batch_);
  for (size_t begin = 0; begin < n; begin += part) {
    const std::span<Outcome> own(out.data() + begin, std::min(part, n - begin));
    std::vector<Prepared> prepared(own.size()), usable;
    parallel_for_dynamic(std::ssize(own), [&](int64_t k) {
      const auto i = static_cast<size_t>(k);
      own[i].error = prepare(begin + i, prepared[i]);
    });
    for (size_t i = 0; i < own.size(); ++i)
      if (own[i].error.empty()) usable.push_back(std::move(prepared[i]));
    std::vector<Answer> answers = answer(usable);
    auto next = answers.begin();
    for (Outcome& outcome : own)
      if (outcome.error.empty()) outcome.answer = std::move(*next++);
  }
  return out;
}

Tensor Session::features(std::span<const Prepared> pictures) const {
  Tensor out = Tensor::uninitialised({std::ssize(pictures), feature_width_});
  const auto part = static_cast<size_t>(batch_);
  for (size_t begin = 0; begin < pictures.size(); begin += part) {
    const size_t n = std::min(part, pictures.size() - begin);
    const Tensor rows =
        emotion::join_blocks(run(pictures.subspan(begin, n), model_ ? "" : "features"));
    std::memcpy(out.data() + static_cast<int64_t>(begin) * feature_width_, rows.data(),
                static_cast<size_t>(rows.bytes()));
  }
  return out;
}

void Session::warm_up() const {
  Prepared grey;
  for (const io::Preset& preset : presets_)
    grey.images.emplace_back(network::input_shape(1, preset));
  for (int64_t n = 1; n <= batch_; ++n) answer(std::vector<Prepared>(static_cast<size_t>(n), grey));
}

std::vector<int64_t> most_probable(std::span<const double> probabilities, int64_t top) {
  std::vector<int64_t> order(probabilities.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  top = std::min(top, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + top, order.end(), [&](int64_t a, int64_t b) {
    const double x = probabilities[static_cast<size_t>(a)],
                 y = probabilities[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  order.resize(static_cast<size_t>(top));
  return order;
}

}  // namespace limbic::session
