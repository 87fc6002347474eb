#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "cli/verbs.h"

namespace limbic::cli {
namespace {

Check shared(CLI::Validator validator) {
  return std::make_shared<const CLI::Validator>(std::move(validator));
}

}  // namespace

Check one_of(std::vector<std::string> values) { return shared(CLI::IsMember(std::move(values))); }
Check zero_or(int other) { return shared(CLI::IsMember({0, other})); }
Check range(int low, int high) { return shared(CLI::Range(low, high)); }
Check range(double low, double high) { return shared(CLI::Range(low, high)); }

Check finite_number(const std::string& wanted, bool (*allowed)(double)) {
  return shared({[wanted, allowed](std::string& text) -> std::string {
                   double value = 0;
                   if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) &&
                       allowed(value))
                     return {};
                   return "expected a number " + wanted + ", got " + text;
                 },
                 wanted});
}
Check above_zero() {
  return finite_number("> 0", [](double x) { return x > 0; });
}
Check not_negative() {
  return finite_number(">= 0", [](double x) { return x >= 0; });
}
Check megabytes() {
  return finite_number("> 0 and <= 1e12", [](double x) { return x > 0 && x <= 1e12; });
}

Option Option::check(const Check& check) const { return Option(option_->check(*check)); }
Option Option::required() const { return Option(option_->required()); }
Option Option::excludes(const Option& other) const {
  return Option(option_->excludes(other.option_));
}
Option Option::delimiter(char c) const { return Option(option_->delimiter(c)); }
Option Option::expected(int values) const { return Option(option_->expected(values)); }
Option Option::one_value_each() const { return Option(option_->allow_extra_args(false)); }
bool Option::given() const { return option_->count() > 0; }

template <class T>
Option Verb::add_option(const std::string& names, T& value, const std::string& help) const {
  return Option(app_->add_option(names, value, help));
}
Option Verb::add_flag(const std::string& names, bool& value, const std::string& help) const {
  return Option(app_->add_flag(names, value, help));
}
void Verb::keep_h_free() const { app_->set_help_flag("--help", "print this help"); }
Option Verb::option(const std::string& name) const { return Option(app_->get_option(name)); }

template Option Verb::add_option(const std::string&, int&, const std::string&) const;
template Option Verb::add_option(const std::string&, int64_t&, const std::string&) const;
template Option Verb::add_option(const std::string&, uint64_t&, const std::string&) const;
template Option Verb::add_option(const std::string&, double&, const std::string&) const;
template Option Verb::add_option(const std::string&, std::string&, const std::string&) const;
template Option Verb::add_option(const std::string&, std::vector<std::string>&,
                                 const std::string&) const;
template Option Verb::add_option(const std::string&, std::vector<double>&,
                                 const std::string&) const;

Verb new_verb(const Verb& app, const std::string& name, const std::string& description,
              const std::string& example, std::function<void()> chosen) {
  CLI::App* verb = app.app().add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  verb->callback(std::move(chosen));
  return Verb(*verb);
}

Verb new_verbs(const Verb& app, const std::string& name, const std::string& description,
               const std::string& example) {
  const Verb verb = new_verb(app, name, description, example, [] {});
  verb.app().require_subcommand(1);
  verb.app().fallthrough();
  return verb;
}

}  // namespace limbic::cli
