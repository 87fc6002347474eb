// Whose threads oneDNN's loops have, and what threads that make programs do to each other.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include "limbic/core/random.h"
#include "limbic/models/models.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/plan.h"

using namespace limbic;

// With oneDNN 2.6 on AVX-512 one in twenty was wrong.
TEST_CASE("threads: programs that are made at the same time compute what each alone does") {
  const models::Model model = models::build_model("resnet8", 5);
  for (uint64_t seed = 0; seed < 60; ++seed) {
    // Of three pictures; whoever runs one makes a program for it.
    const auto program = std::make_shared<Program>(model.graph, model.graph.initialise(seed),
                                                   PlanOptions::inference({3, 3, 16, 16}));
    Tensor image({1, 3, 16, 16});
    Random random(seed);
    for (float& v : image.values()) v = static_cast<float>(random.normal());
    const auto logits = [&] {
      Plan plan(program);
      plan.run(image);
      return plan.output("logits");
    };
    std::array<Tensor, 2> both;
    std::thread other([&] { both[1] = logits(); });
    both[0] = logits();
    other.join();
    const Tensor alone = logits();
    for (const Tensor& one : both)
      REQUIRE(std::memcmp(one.raw(), alone.raw(), static_cast<size_t>(alone.bytes())) == 0);
  }
}

#if defined(LIMBIC_THREADS) && !defined(LIMBIC_STATIC)
TEST_CASE("threads: oneDNN's shared library finds this program's entry points of OpenMP") {
  for (const char* name : {"GOMP_parallel", "omp_get_max_threads"}) {
    Dl_info found{};
    void* address = ::dlsym(RTLD_DEFAULT, name);
    REQUIRE(address != nullptr);
    REQUIRE(::dladdr(address, &found) != 0);
    CHECK(std::filesystem::equivalent(found.dli_fname, "/proc/self/exe"));
  }
}
#endif
