#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "cli/console.h"

namespace limbic::cli {

/// What the chosen verb does; returns the exit status.
using Action = std::function<int()>;

// Each adds its verb to the program: options, help and example; when the verb is on the command
// line, `action` is what it does. Each stands in the file of its name.
void add_bench(CLI::App& app, const Common& common, Action& action);
void add_check_data(CLI::App& app, const Common& common, Action& action);
void add_classify(CLI::App& app, const Common& common, Action& action);
void add_compare(CLI::App& app, const Common& common, Action& action);
void add_convert(CLI::App& app, const Common& common, Action& action);
void add_demo(CLI::App& app, const Common& common, Action& action);
void add_evaluate(CLI::App& app, const Common& common, Action& action);
void add_extract(CLI::App& app, const Common& common, Action& action);
void add_fit(CLI::App& app, const Common& common, Action& action);
void add_predict(CLI::App& app, const Common& common, Action& action);
void add_summary(CLI::App& app, const Common& common, Action& action);
void add_svm_grid(CLI::App& app, const Common& common, Action& action);
void add_svm_predict(CLI::App& app, const Common& common, Action& action);
void add_svm_scale(CLI::App& app, const Common& common, Action& action);
void add_svm_train(CLI::App& app, const Common& common, Action& action);
void add_sweep(CLI::App& app, const Common& common, Action& action);
void add_train(CLI::App& app, const Common& common, Action& action);
void add_validate(CLI::App& app, const Common& common, Action& action);
void add_verify(CLI::App& app, const Common& common, Action& action);
void add_weights(CLI::App& app, const Common& common, Action& action);

/// A subcommand with an example at the foot of its help; `run` is called with the options read.
template <class Options>
CLI::App* add_verb(CLI::App& app, Action& action, const std::string& name,
                   const std::string& description, const std::string& example,
                   const std::shared_ptr<Options>& options, int (*run)(const Common&, Options&),
                   const Common& common) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  verb->callback([&action, &common, options, run] {
    action = [&common, options, run] { return run(common, *options); };
  });
  return verb;
}

}  // namespace limbic::cli
