#pragma once
#include <optional>
#include <string>

#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"
#include "limbic/io/layouts.h"

namespace limbic::cli {

/// A data set in the parts that the user made.
struct DataParts {
  io::Dataset train;  ///< Its left_out has what is left out of all parts.
  std::optional<io::Dataset> validation, test;
};

/// Labelled pictures as the user names them: --data, and --val and --test where a verb divides
/// them.
struct DataOptions {
  std::string data, validation, test, layout, ties = "first", roi = "paper";

  void add_to(const Verb& verb, bool required = true);
  void add_parts_to(const Verb& verb);
  void add_layout_to(const Verb& verb);  ///< --layout, --ties and --roi, which add_to has, too.

  /// Of the published sets of emotions.
  io::LayoutOptions layout_options() const;
  /// Lists them, labelled by `classes` where these are given, and says on standard error what is
  /// left out. Throws Error as io::list_dataset does.
  io::Dataset list(const Common& common,
                   const std::optional<std::vector<std::string>>& classes = std::nullopt) const;
  /// The same for verbs that learn: with --val and --test, or those that lie within --data as
  /// train/, val/ and test/. Says which class has one picture alone, and which pictures stand under
  /// two labels or in two parts.
  DataParts open(const Common& common) const;

  /// A set in its parts, as --layout says or as it lies; says what was decided about its labels.
  io::PartedSet read(const Common& common, const std::string& path) const;
};

/// --ties and --roi, of a verb that reads the published sets of emotions.
void add_layout_options(const Verb& verb, std::string& ties, std::string& roi);

/// Says which pictures stand under two labels or in two parts.
void note_contradictions(const Common& common, const std::vector<const io::Dataset*>& parts);

}  // namespace limbic::cli
