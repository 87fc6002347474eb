#pragma once
#include "limbic/cli/network.h"

namespace limbic::explain {

/// What `limbic explain` was asked for.
struct Options {
  cli::NetworkOptions network;
  std::vector<std::string> words;  ///< [MODEL_DIR] IMAGE
  std::string class_name, layer, labels, out;
  std::vector<std::string> methods;
  int64_t window = 0, stride = 0;
  bool walk = false;

  const std::string& image() const { return words.back(); }
  bool emotion() const { return words.size() == 2; }
};

/// The class of a name, of one of the names that commas part, or of a number; by default `answer`.
/// Throws Error, naming classes.
int64_t find_class(const std::vector<std::string>& labels, int64_t classes, const std::string& name,
                   int64_t answer);

/// `limbic explain --walk`.
int run_walk(const cli::Common& common, const Options& o);

}  // namespace limbic::explain
