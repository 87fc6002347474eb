#pragma once
#include <functional>
#include <memory>

#include "limbic/cli/arguments.h"
#include "limbic/cli/console.h"

namespace limbic::cli {

/// What the chosen verb does; returns the exit status.
using Action = std::function<int()>;

// Each adds its verb to the program: options, help and example; when the verb is on the command
// line, `action` is what it does. Each stands in the file of its name.
void add_bench(const Verb& app, const Common& common, Action& action);
void add_check_data(const Verb& app, const Common& common, Action& action);
void add_classify(const Verb& app, const Common& common, Action& action);
void add_compare(const Verb& app, const Common& common, Action& action);
void add_convert(const Verb& app, const Common& common, Action& action);
void add_demo(const Verb& app, const Common& common, Action& action);
void add_evaluate(const Verb& app, const Common& common, Action& action);
void add_extract(const Verb& app, const Common& common, Action& action);
void add_fit(const Verb& app, const Common& common, Action& action);
void add_inspect(const Verb& app, const Common& common, Action& action);
void add_merge(const Verb& app, const Common& common, Action& action);
void add_predict(const Verb& app, const Common& common, Action& action);
void add_summary(const Verb& app, const Common& common, Action& action);
void add_svm_grid(const Verb& app, const Common& common, Action& action);
void add_svm_predict(const Verb& app, const Common& common, Action& action);
void add_svm_scale(const Verb& app, const Common& common, Action& action);
void add_svm_train(const Verb& app, const Common& common, Action& action);
void add_sweep(const Verb& app, const Common& common, Action& action);
void add_train(const Verb& app, const Common& common, Action& action);
void add_validate(const Verb& app, const Common& common, Action& action);
void add_verify(const Verb& app, const Common& common, Action& action);
void add_weights(const Verb& app, const Common& common, Action& action);

/// A verb of `app` with an example at the foot of its help, that does `action` when it is chosen.
Verb new_verb(const Verb& app, const std::string& name, const std::string& description,
              const std::string& example, std::function<void()> chosen);

/// A verb that has verbs of its own.
Verb new_verbs(const Verb& app, const std::string& name, const std::string& description,
               const std::string& example);

template <class Options>
Verb add_verb(const Verb& app, Action& action, const std::string& name,
              const std::string& description, const std::string& example,
              const std::shared_ptr<Options>& options, int (*run)(const Common&, Options&),
              const Common& common) {
  return new_verb(app, name, description, example, [&action, &common, options, run] {
    action = [&common, options, run] { return run(common, *options); };
  });
}

}  // namespace limbic::cli
