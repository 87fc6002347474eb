// Whose threads oneDNN's loops have.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <filesystem>

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
