// All verbs of `limbic`, which know one more network.
#include "examples/add_a_network/tiny.h"
#include "limbic/program/limbic_main.h"

int main(int argc, char** argv) {
  return limbic::limbic_main(argc, argv, {limbic::tiny, limbic::tiny_inception});
}
