#include "cli/verbs.h"
namespace limbic::cli {
void add_compare(CLI::App&, const Common&, Action&) {}
}  // namespace limbic::cli
