// Of the shared library that is linked from archives alone. Debian's libpng.a is compiled for programs:
// it reaches the C library's `stderr` in a way that only a program can satisfy. So the library has one of
// its own, which nobody outside sees, and which is the process' from its start on. (libpng's messages go
// to io/png.cpp and never there.)
#include <dlfcn.h>

#include <cstdio>

namespace {

extern "C" __attribute__((visibility("hidden"))) FILE* limbic_own_stderr __asm__("stderr");
FILE* limbic_own_stderr = nullptr;

__attribute__((constructor(101))) void take_over() {
  if (const auto theirs = static_cast<FILE**>(::dlsym(RTLD_DEFAULT, "stderr")))
    limbic_own_stderr = *theirs;
}

}  // namespace
