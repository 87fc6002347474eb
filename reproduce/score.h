#pragma once
#include "limbic/cli/journal.h"
#include "limbic/reproduce/sets.h"

namespace limbic::reproduce {

/// The fusions of a study: those of table 2, and the vectors that its claims compare. Fusions that
/// leave no block a weight are left out.
struct Fusions {
  std::vector<emotion::Fusion> alpha, beta;  ///< Table 2's.
  std::vector<emotion::Fusion> more;         ///< Equation 1 as printed, S alone.
};
Fusions fusions_of(const Options& options, const std::vector<std::string>& roles);

/// By validation pictures: the best alpha, beta and C, dense and SVM. Empty where there are no
/// validation pictures.
std::optional<Choice> choose(const Options& options, const Fusions& fusions,
                             const emotion::FitResult& prepared, cli::Journal& journal,
                             const cli::Journal::Json& round, const ProgressFunction& progress);

/// Of answers to the rows of a test: method -> label of each row.
using Answers = std::map<std::string, std::vector<int64_t>>;

/// All methods on the test rows: classifiers learn from all training rows, each SVM with the C that
/// was chosen for its fusion. Without a choice everything is computed, and the test rows of the
/// first `own` make it.
Answers answer_all(const Options& options, const Fusions& fusions,
                   const emotion::FitResult& prepared, const emotion::BranchFeatures& test,
                   int64_t own, std::optional<Choice>& choice, cli::Journal& journal,
                   const cli::Journal::Json& round, const ProgressFunction& progress);

/// Alpha, beta, C and gamma together, by 5-fold cross-validation on the training rows: into
/// `choice`.
void choose_together(const Options& options, const emotion::FitResult& prepared, Choice& choice,
                     cli::Journal& journal, const cli::Journal::Json& round,
                     const ProgressFunction& progress);

/// Compactness of single and fused vectors of the test rows, standardised by the training rows.
std::vector<Compactness> compactness_of(const emotion::FitResult& prepared,
                                        const emotion::BranchFeatures& test, const Choice& choice);

/// For each emotion the classes of the supplement whose mean probability over its training pictures
/// is most above that over all.
std::vector<EmotionObjects> objects_of(const emotion::FitResult& prepared);

}  // namespace limbic::reproduce
