// random_graphs [--graphs N] [--seed S] [--dtype f32|bf16]: random networks, each in plans of every
// mode, against the twins in f64. Networks are computed in child processes, so that a crash is one
// more failure; each failure is cut down and printed as code. Exits 1 if there was one.
#include <cstdio>
#include <iostream>
#include <string>

#include "limbic/nn/cpu/onednn/compat.h"
#include "tests/generators/check.h"
#include "tests/generators/isolated.h"

using namespace limbic;
using namespace limbic::generators;

namespace {

struct Run {
  int64_t graphs = 300;
  uint64_t seed = 1;
  DType dtype = DType::f32;
};

uint64_t key_of(const Run& run, int64_t i) { return combine(run.seed, static_cast<uint64_t>(i)); }
Recipe recipe_of(const Run& run, int64_t i) {
  return random_recipe(key_of(run, i), 2 + static_cast<int>(i % 11));
}

// What a child sends for each network it has done.
struct Message {
  int64_t graph;
  Tally tally;
};

std::optional<std::string> failure_of(const Recipe& recipe, const Setting& setting, uint64_t key) {
  return isolated([&] {
    Tally tally;
    return failure(recipe, setting, key, tally);
  });
}

// The smallest network that fails still, by taking away what can go.
void shrink_and_print(Recipe recipe, const Setting& setting, uint64_t key) {
  std::optional<std::string> wrong = failure_of(recipe, setting, key);
  for (bool smaller = wrong.has_value(); smaller;) {
    smaller = false;
    for (const Recipe& candidate : simpler(recipe)) {
      const auto still = failure_of(candidate, setting, key);
      if (!still) continue;
      recipe = candidate;
      wrong = still;
      smaller = true;
      break;
    }
  }
  std::printf("smallest failure: %s\n%s%s", wrong ? wrong->c_str() : "(not again)",
              recipe.code().c_str(), setting.code(recipe).c_str());
}

// Networks [first, n) in a child, until one fails: its number, or n.
int64_t run_until_failure(const Run& run, int64_t first, Tally& total, size_t& failing) {
  int ends[2];
  require(::pipe(ends) == 0, "pipe failed");
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    for (int64_t i = first; i < run.graphs; ++i) {
      ::alarm(300);
      Tally tally;
      const auto settings = settings_for(recipe_of(run, i), key_of(run, i), run.dtype);
      for (const Setting& setting : settings)
        if (failure(recipe_of(run, i), setting, key_of(run, i), tally)) ::_exit(1);
      const Message message{i, tally};
      if (::write(ends[1], &message, sizeof message) != sizeof message) ::_exit(3);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  int64_t next = first;
  for (Message m; ::read(ends[0], &m, sizeof m) == sizeof m; next = m.graph + 1) {
    total.plans += m.tally.plans;
    total.tensors += m.tally.tensors;
    total.cancelling += m.tally.cancelling;
    total.at_kinks += m.tally.at_kinks;
    total.worst_output = std::max(total.worst_output, m.tally.worst_output);
    total.worst_gradient = std::max(total.worst_gradient, m.tally.worst_gradient);
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  failing = next < run.graphs;
  return next;
}

int run_all(const Run& run) {
  Tally total;
  int64_t failures = 0;
  for (int64_t next = 0; next < run.graphs && failures < 5;) {
    size_t failing = 0;
    next = run_until_failure(run, next, total, failing);
    if (failing == 0) break;
    const Recipe recipe = recipe_of(run, next);
    const uint64_t key = key_of(run, next);
    bool again = false;
    for (const Setting& setting : settings_for(recipe, key, run.dtype)) {
      const auto wrong = failure_of(recipe, setting, key);
      if (!wrong) continue;
      std::printf("network %ld of seed %lu: %s\n", next, run.seed, wrong->c_str());
      shrink_and_print(recipe, setting, key);
      again = true;
      break;
    }
    if (!again) std::printf("network %ld of seed %lu failed, but not alone\n", next, run.seed);
    ++failures;
    ++next;
  }
  std::printf(
      "%ld random networks in %s, %ld plans, %ld tensors: %ld failures; worst output %.1e, "
      "gradient "
      "%.1e; %ld tensors cancel (beyond the limit, as the twin rounded to the dtype is), %ld plans "
      "at a kink left out\n",
      run.graphs, to_string(run.dtype).c_str(), total.plans, total.tensors, failures,
      total.worst_output, total.worst_gradient, total.cancelling, total.at_kinks);
  return failures > 0 || total.plans == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Run run;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--graphs")
      run.graphs = std::stol(value);
    else if (option == "--seed")
      run.seed = std::stoul(value);
    else if (option == "--dtype")
      run.dtype = value == "bf16" ? DType::bf16 : DType::f32;
    else {
      std::cerr << "random_graphs: unknown option " << option << "\n";
      return 2;
    }
  }
  if (run.dtype == DType::bf16 && !onednn::has_bf16_instructions()) {
    std::cout << "random_graphs: skips: this processor has no bf16 instructions\n";
    return 0;
  }
  return run_all(run);
}
