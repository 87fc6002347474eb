// random_histories [--histories N] [--seed S]: random lives of parameters, plans and files (set,
// load, copy, clone, save, plan, refresh, run, backward, step, store, threads, several callers)
// against a model that knows only the plain computation and what each thing holds. A failing
// history is cut down to its smallest and printed. Exits 1 if there was one.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

#include "limbic/core/parallel.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/train/optimiser.h"
#include "limbic/twins/differentiate.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"
#include "tests/generators/isolated.h"

using namespace limbic;
using namespace limbic::train;
using namespace limbic::weights;
using namespace limbic::generators;

namespace {

enum class Kind {
  set,
  write,
  copy,
  clone,
  plan,
  refresh,
  run,
  backward,
  step,
  store,
  save,
  load,
  threads,
  callers,
  count
};
constexpr const char* names[] = {"set",     "write", "copy",     "clone",  "plan",
                                 "refresh", "run",   "backward", "step",   "store",
                                 "save",    "load",  "threads",  "callers"};

// One act; what a, b and c mean, modulo how many there are, is the kind's.
struct Act {
  Kind kind;
  uint32_t a, b, c;
};
using History = std::vector<Act>;

History random_history(uint64_t seed, int length) {
  Random random(seed);
  const auto draw = [&] { return static_cast<uint32_t>(random.below(1 << 20)); };
  History out;
  for (int i = 0; i < length; ++i)
    out.push_back({static_cast<Kind>(random.below(static_cast<int64_t>(Kind::count))), draw(),
                   draw(), draw()});
  return out;
}

// Layers whose names begin alike, a residual sum, norms: what histories go wrong in.
Graph network() {
  Graph g;
  const Scope s = g.root();
  Value x = relu(conv2d(s / "l1", g.input(2), {.out_channels = 4, .kernel_size = 3, .padding = 1}));
  Value y = batch_norm(s / "l10", conv2d(s / "l2", x, {.out_channels = 4, .bias = false}));
  x = relu(add(y, x));
  x = relu(batch_norm(s / "l11", conv2d(s / "l12", x, {.out_channels = 3, .kernel_size = 3})));
  g.label("logits", linear(s / "l3", global_avg_pool(x), {.out_features = 3}));
  return g;
}
constexpr int64_t size = 5, channels = 2, classes = 3;
const std::vector<std::string> freezable = {"l1", "l10", "l11.weight", "l12.bias", "l2", "l3"};

using Cells = std::map<std::string, std::shared_ptr<std::vector<float>>>;  // copies share

Cells deep(const Cells& cells) {
  Cells out;
  for (const auto& [name, cell] : cells) out[name] = std::make_shared<std::vector<float>>(*cell);
  return out;
}

// What a plan must be: the values that it computes with, and what training has added.
struct PlainPlan {
  Cells weights;
  std::map<std::string, std::vector<double>> velocity;
  std::vector<std::string> frozen;
  int64_t batch = 1, runs = 0, tracked = 0;
  bool training = false, ran = false, went_back = false;
  std::vector<twins::Array> values;
  twins::Arrays before;
};

class World {
 public:
  explicit World(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    for (uint64_t i = 0; i < 3; ++i) {
      real_.push_back(graph_.initialise(i));
      plain_.push_back(cells_of(real_.back()));
    }
    set_threads(2);
  }

  std::string act(const Act& a, bool say);

 private:
  struct Pair {
    std::unique_ptr<Plan> plan;
    std::unique_ptr<Sgd> sgd;
    PlainPlan plain;
  };

  static Cells cells_of(const Parameters& p) {
    Cells out;
    for (const auto& [name, parameter] : p)
      if (parameter.value.dtype() == DType::f32)
        out[name] = std::make_shared<std::vector<float>>(
            parameter.value.data(), parameter.value.data() + parameter.value.size());
    return out;
  }
  static twins::Arrays arrays_of(const Cells& cells, const Parameters& like) {
    twins::Arrays out = twins::from_parameters(like);
    for (const auto& [name, cell] : cells)
      std::copy(cell->begin(), cell->end(), out.at(name).values.begin());
    return out;
  }
  bool is_frozen(const PlainPlan& p, const std::string& name) const {
    return std::any_of(p.frozen.begin(), p.frozen.end(), [&](const auto& path) {
      return name == path || name.starts_with(path + ".");
    });
  }

  Tensor draw_images(int64_t n, uint32_t seed) const {
    Tensor t({n, channels, size, size});
    Random random(seed);
    for (float& x : t.values()) x = static_cast<float>(random.normal());
    return t;
  }
  std::string values_equal(const Parameters& real, const Cells& plain) const;
  std::string run(Pair& p, int64_t n, uint32_t seed);
  std::string backward(Pair& p, bool step);
  std::string store(Pair& p, size_t into);
  std::string callers(const Pair& p, uint32_t seed);
  void make_plan(size_t slot, size_t from, uint32_t how);

  std::string folder_;
  Graph graph_ = network();
  std::vector<Parameters> real_;
  std::vector<Cells> plain_;
  std::vector<Pair> plans_ = std::vector<Pair>(3);
  std::map<size_t, Cells> files_;
};

std::string World::values_equal(const Parameters& real, const Cells& plain) const {
  for (const auto& [name, cell] : plain) {
    const Tensor& t = real.at(name).value;
    if (!std::equal(cell->begin(), cell->end(), t.data())) return name + " holds another value";
  }
  return "";
}

void World::make_plan(size_t slot, size_t from, uint32_t how) {
  Pair& p = plans_[slot];
  p = {};
  p.plain.training = how % 2;
  p.plain.batch = 1 + how / 2 % 4;
  PlanOptions o = p.plain.training ? PlanOptions::training({p.plain.batch, channels, size, size})
                                   : PlanOptions::inference({p.plain.batch, channels, size, size});
  if (p.plain.training)
    for (size_t i = 0; i < freezable.size(); ++i)
      if ((how >> (4 + i)) % 4 == 0) p.plain.frozen.push_back(freezable[i]);
  // "l12.bias" is there, "l2.bias" is not: one of each kind stays.
  o.frozen = p.plain.frozen;
  o.poison = true;
  if (how / 1024 % 2) o.recompute_above = 0;
  p.plan = std::make_unique<Plan>(graph_, real_[from], o);
  if (p.plain.training) p.sgd = std::make_unique<Sgd>(*p.plan, SgdOptions{.momentum = 0.5});
  p.plain.weights = deep(plain_[from]);
  p.plain.tracked = real_[from].at("l10.num_batches_tracked").value.data<int64_t>()[0];
}

std::string World::run(Pair& p, int64_t n, uint32_t seed) {
  PlainPlan& plain = p.plain;
  const Tensor images = draw_images(n, seed);
  p.plan->run(images);
  plain.before = arrays_of(plain.weights, real_[0]);
  twins::Arrays after = plain.before;
  twins::Array padded({plain.batch, channels, size, size});
  std::copy(images.data(), images.data() + images.size(), padded.values.begin());
  plain.values = twins::evaluate(graph_, after, padded,
                                 {.batch_statistics = plain.training, .frozen = plain.frozen});
  if (plain.training)
    for (auto& [name, cell] : plain.weights)
      std::copy(after.at(name).values.begin(), after.at(name).values.end(), cell->begin());
  plain.runs += plain.training;
  plain.ran = true;
  plain.went_back = false;
  const std::vector<double>& expected =
      plain.values[static_cast<size_t>(graph_.find("logits"))].values;
  const Tensor logits = p.plan->output("logits");
  for (int64_t i = 0; i < n * classes; ++i) {
    const double e = expected[static_cast<size_t>(i)], got = static_cast<double>(logits.data()[i]);
    if (std::abs(got - e) > 2e-3 * (1 + std::abs(e)))
      return str_cat("logit ", i, " is ", got, ", the plain computation gives ", e);
  }
  return "";
}

std::string World::backward(Pair& p, bool step) {
  PlainPlan& plain = p.plain;
  std::vector<float> diff(static_cast<size_t>(plain.batch * classes));
  for (size_t i = 0; i < diff.size(); ++i) diff[i] = 0.1f * static_cast<float>(i % 3) - 0.1f;
  const bool may = plain.training && plain.ran && !plain.went_back;
  std::string refusal;
  try {
    if (step && p.sgd)
      p.sgd->step(diff, 0.05);
    else
      p.plan->backward(diff);
  } catch (const Error& e) {
    refusal = e.what();
  }
  if (may != refusal.empty())
    return may ? "backward was refused: " + refusal : "backward was not refused";
  if (!may) return "";
  plain.went_back = true;
  twins::Array dy({plain.batch, classes});
  std::copy(diff.begin(), diff.end(), dy.values.begin());
  const auto d = twins::differentiate(graph_, plain.before, plain.values, graph_.find("logits"), dy,
                                      {.batch_statistics = true, .frozen = plain.frozen});
  const bool near_kink = twins::distance_from_kinks(graph_, plain.values) < 1e-5;
  for (const PackedParameter& packed : p.plan->program().packed()) {
    const std::string& name = packed.name;
    const bool trains = real_[0].at(name).trainable && !is_frozen(plain, name);
    if (trains != packed.trainable) return name + (trains ? " does not train" : " trains");
    if (!trains) continue;
    const auto& g = d.parameters.at(name).values;
    std::vector<double>& v = plain.velocity.try_emplace(name, g.size()).first->second;
    double error = 0, norm = 1e-3;
    if (!step) {
      const Tensor fast = p.plan->parameter_gradient(name);
      for (size_t i = 0; i < g.size(); ++i) {
        error = std::max(error, std::abs(g[i] - static_cast<double>(fast.data()[i])));
        norm = std::max(norm, std::abs(g[i]));
      }
      if (error > 2e-2 * norm && !near_kink)
        return str_cat("the gradient of ", name, " is off by ", error, " of ", norm);
      continue;
    }
    for (size_t i = 0; i < g.size(); ++i) {
      v[i] = 0.5 * v[i] + g[i];
      float& w = (*plain.weights.at(name))[i];
      w = static_cast<float>(static_cast<double>(w) - 0.05 * v[i]);
    }
  }
  return "";
}

std::string World::store(Pair& p, size_t into) {
  PlainPlan& plain = p.plain;
  std::map<std::string, bool> was_shared;  // somebody else's memory: store takes new
  for (const auto& [name, parameter] : real_[into]) was_shared[name] = parameter.shared;
  p.plan->store(real_[into]);
  for (auto& [name, cell] : plain.weights) {
    const bool statistic = name.find(".running_") != std::string::npos;
    const bool changes =
        plain.training && !is_frozen(plain, name) && (statistic || real_[into].at(name).trainable);
    if (!changes) continue;
    const Tensor& stored = real_[into].at(name).value;
    for (size_t i = 0; i < cell->size(); ++i) {
      const float got = stored.data()[i], expected = (*cell)[i];
      if (std::abs(got - expected) > 5e-3f * (1 + std::abs(expected)))
        return str_cat(name, " was stored as ", got, ", the plain computation has ", expected);
    }
    // Roundings are not to add up: the model goes on from what is stored.
    std::copy(stored.data(), stored.data() + stored.size(), cell->begin());
    auto& kept = plain_[into].at(name);
    if (was_shared.at(name)) kept = std::make_shared<std::vector<float>>(cell->size());
    std::copy(cell->begin(), cell->end(), kept->begin());
  }
  const bool counts = plain.training && !is_frozen(plain, "l10.running_mean");
  const int64_t tracked = real_[into].at("l10.num_batches_tracked").value.data<int64_t>()[0];
  if (counts && tracked != plain.tracked + plain.runs)
    return str_cat("num_batches_tracked is ", tracked, ", not ", plain.tracked + plain.runs);
  return "";
}

// Two threads over one program, each with a workspace of its own.
std::string World::callers(const Pair& p, uint32_t seed) {
  if (p.plain.training) return "";
  // The plan's program is its own: two more over a new one.
  const auto program = std::make_shared<Program>(
      graph_, real_[0], PlanOptions::inference({p.plain.batch, channels, size, size}));
  std::vector<std::vector<float>> got(2);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      Plan own(program);
      own.run(draw_images(1, seed + static_cast<uint32_t>(t)));
      const Tensor out = own.output("logits");
      got[t].assign(out.data(), out.data() + classes);
    });
  for (auto& thread : threads) thread.join();
  for (size_t t = 0; t < 2; ++t) {
    Plan alone(program);
    alone.run(draw_images(1, seed + static_cast<uint32_t>(t)));
    const Tensor out = alone.output("logits");
    if (!std::equal(got[t].begin(), got[t].end(), out.data()))
      return "two callers disturb each other";
  }
  return "";
}

std::string World::act(const Act& a, bool say) {
  const size_t p = a.a % real_.size(), q = a.b % real_.size(), slot = a.b % plans_.size();
  Pair& pair = plans_[slot];
  if (say)
    std::printf("  %s(%u, %u, %u)\n", names[static_cast<size_t>(a.kind)], a.a % 3, a.b % 3, a.c);
  auto cell = plain_[p].begin();
  std::advance(cell, a.b % plain_[p].size());
  const std::string path = str_cat(folder_, "/", q, ".safetensors");
  switch (a.kind) {
    case Kind::set:
    case Kind::write: {
      const Tensor& own = real_[p].at(cell->first).value;
      Tensor value(own.shape());
      Random random(a.c);
      for (float& x : value.values()) x = static_cast<float>(random.uniform(0.5, 1.5));
      if (a.kind == Kind::set) {
        if (real_[p].at(cell->first).shared)  // somebody else's memory: set takes new
          cell->second = std::make_shared<std::vector<float>>(cell->second->size());
        real_[p].set(cell->first, value);
      } else {
        std::copy(value.data(), value.data() + value.size(), own.data());
      }
      std::copy(value.data(), value.data() + value.size(), cell->second->begin());
      break;
    }
    case Kind::copy:
      real_[q] = real_[p];
      plain_[q] = plain_[p];
      break;
    case Kind::clone:
      real_[q] = real_[p].clone();
      plain_[q] = deep(plain_[p]);
      break;
    case Kind::plan:
      make_plan(slot, p, a.c);
      break;
    case Kind::refresh:
      if (!pair.plan) break;
      pair.plan->refresh(real_[p]);
      pair.plain.weights = deep(plain_[p]);
      pair.plain.runs = 0;
      pair.plain.went_back = true;  // that run is not to be differentiated any more
      pair.plain.tracked = real_[p].at("l10.num_batches_tracked").value.data<int64_t>()[0];
      break;
    case Kind::run:
      if (pair.plan) return run(pair, 1 + a.c % pair.plain.batch, a.c);
      break;
    case Kind::backward:
    case Kind::step:
      if (pair.plan) return backward(pair, a.kind == Kind::step);
      break;
    case Kind::store:
      if (pair.plan) return store(pair, p);
      break;
    case Kind::save: {
      std::map<std::string, Tensor> tensors;
      for (const auto& [name, parameter] : real_[p]) tensors.emplace(name, parameter.value);
      write_safetensors(path, tensors, {});
      files_[q] = deep(plain_[p]);
      break;
    }
    case Kind::load: {
      if (files_.count(q) == 0) break;
      const SafetensorsFile file = read_safetensors(path);
      const bool share = a.c % 2;
      std::map<std::string, bool> was_shared;
      for (const auto& [name, parameter] : real_[p]) was_shared[name] = parameter.shared;
      load_parameters(file.tensors, real_[p], {.source = path, .file = &file.file, .share = share});
      for (auto& [name, own] : plain_[p]) {
        if (share || was_shared.at(name)) own = std::make_shared<std::vector<float>>();
        *own = *files_[q].at(name);
      }
      break;
    }
    case Kind::threads:
      set_threads(1 + static_cast<int>(a.c % 3));
      break;
    case Kind::callers:
      if (pair.plan) return callers(pair, a.c);
      break;
    case Kind::count:
      break;
  }
  for (size_t i = 0; i < real_.size(); ++i)
    if (const std::string wrong = values_equal(real_[i], plain_[i]); !wrong.empty())
      return str_cat("parameters ", i, ": ", wrong);
  return "";
}

std::optional<std::string> failure(const History& history, const std::string& folder, bool say) {
  try {
    World world(folder);
    for (size_t i = 0; i < history.size(); ++i)
      if (const std::string wrong = world.act(history[i], say); !wrong.empty())
        return str_cat("at act ", i + 1, ", ", names[static_cast<size_t>(history[i].kind)], ": ",
                       wrong);
  } catch (const std::exception& e) {
    return str_cat("throws: ", e.what());
  }
  return {};
}

History shrunk(History history, const std::string& folder) {
  for (size_t chunk = history.size() / 2; chunk > 0; chunk /= 2)
    for (size_t i = 0; i + chunk <= history.size();) {
      History shorter = history;
      shorter.erase(shorter.begin() + static_cast<int64_t>(i),
                    shorter.begin() + static_cast<int64_t>(i + chunk));
      if (isolated([&] { return failure(shorter, folder, false); }))
        history = shorter;
      else
        ++i;
    }
  return history;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t histories = 300;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--histories")
      histories = std::stol(argv[i + 1]);
    else if (option == "--seed")
      seed = std::stoul(argv[i + 1]);
    else {
      std::cerr << "random_histories: unknown option " << option << "\n";
      return 2;
    }
  }
  const std::string folder =
      str_cat(std::filesystem::temp_directory_path().string(), "/limbic-histories-", ::getpid());
  const auto history_of = [&](int64_t i) {
    return random_history(combine(seed, static_cast<uint64_t>(i)), 8 + static_cast<int>(i % 40));
  };
  int64_t failures = 0, acts = 0;
  constexpr int64_t at_once = 100;
  for (int64_t i = 0; i < histories && failures < 3; i += at_once) {
    const int64_t end = std::min(histories, i + at_once);
    const auto together = isolated(
        [&]() -> std::optional<std::string> {
          for (int64_t k = i; k < end; ++k)
            if (auto wrong = failure(history_of(k), folder, false)) return wrong;
          return {};
        },
        600);
    for (int64_t k = i; k < end; ++k) acts += static_cast<int64_t>(history_of(k).size());
    if (!together) continue;
    for (int64_t k = i; k < end && failures < 3; ++k) {
      const auto wrong = isolated([&] { return failure(history_of(k), folder, false); });
      if (!wrong) continue;
      ++failures;
      std::printf("history %ld of seed %lu: %s\n", k, seed, wrong->c_str());
      const History smallest = shrunk(history_of(k), folder);
      std::printf("smallest failure, of %zu acts:\n", smallest.size());
      std::fflush(stdout);
      const auto last = isolated([&] {
        const auto still = failure(smallest, folder, true);
        std::fflush(stdout);
        return still;
      });
      std::printf("  %s\n", last ? last->c_str() : "(not again)");
    }
  }
  std::filesystem::remove_all(folder);
  std::printf("%ld random histories, %ld acts: %ld failures\n", histories, acts, failures);
  return failures > 0 ? 1 : 0;
}
