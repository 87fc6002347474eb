#include "limbic/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "limbic/cli/verbs.h"

namespace limbic::cli {
namespace {

Check shared(CLI::Validator validator) {
  return std::make_shared<const CLI::Validator>(std::move(validator));
}

// Where the verb stands: the first argument that is no option of the program's own.
size_t verb_position(const CLI::App& app, const std::vector<std::string>& arguments) {
  size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with('-')) {
    const CLI::Option* option = app.get_option_no_throw(arguments[at]);
    at += option && option->get_expected_max() > 0 ? 2 : 1;  // --threads 2; not --threads=2
  }
  return at;
}

bool is_verb(const CLI::App& app, const std::string& name) {
  const auto verbs = app.get_subcommands([](const CLI::App*) { return true; });
  return std::any_of(verbs.begin(), verbs.end(),
                     [&](const CLI::App* verb) { return verb->get_name() == name; });
}

constexpr const char* or_infinite = "> 0 or inf";

// No option but -c means anything as NaN or infinity, which pass the usual checks of ranges, or as
// the 2^64 - 1 that strtoull makes of -1.
void refuse_strange_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type.starts_with("FLOAT") && !type.ends_with(or_infinite))
      option->check(CLI::Validator(*finite_number()).description(""));
    if (type.starts_with("UINT")) option->check(CLI::Validator(*not_negative()).description(""));
  }
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
    refuse_strange_numbers(*verb);
}

// What a value must be and what it is by default: "--epochs 0..100000 [20]".
class Help : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string kind = option->get_type_name();
    if (const size_t colon = kind.find(':'); colon != kind.npos) kind = kind.substr(colon + 1);
    if (const size_t range = kind.find(" in ["); range != kind.npos) {
      kind = kind.substr(range + 5, kind.size() - range - 6);
      if (const size_t dash = kind.find(" - "); dash != kind.npos) kind.replace(dash, 3, "..");
    }
    std::string out = kind.empty() ? "" : " " + kind;
    if (const std::string value = option->get_default_str(); !value.empty())
      out += value.starts_with('[') ? " " + value : " [" + value + "]";
    if (option->get_expected_max() == CLI::detail::expected_max_vector_size) out += " ...";
    if (option->get_required()) out += " REQUIRED";
    for (const CLI::Option* other : option->get_excludes())
      out += " (not with " + other->get_name() + ")";
    return out;
  }
};

// Whether a default is nothing that help should show.
template <class T>
bool shows_nothing(const T& value) {
  if constexpr (requires { value.empty(); })
    return value.empty();
  else
    return false;
}

}  // namespace

Check one_of(std::vector<std::string> values) { return shared(CLI::IsMember(std::move(values))); }
Check one_of_many(const std::string& name, const std::vector<std::string>& values) {
  return shared({[name, values](std::string& text) -> std::string {
                   if (std::find(values.begin(), values.end(), text) != values.end()) return {};
                   std::string all;
                   for (const std::string& value : values) all += " " + value;
                   return "'" + text + "' is no " + name + "; known are:" + all;
                 },
                 name});
}
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
Check above_zero_or_infinite() {
  return shared({[](std::string& text) -> std::string {
                   double value = 0;
                   if (CLI::detail::lexical_cast(text, value) && value > 0) return {};
                   return "expected a number > 0, or inf, got " + text;
                 },
                 or_infinite});
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
  CLI::Option* option = app_->add_option(names, value, help);
  if (!shows_nothing(value)) option->capture_default_str();
  return Option(option);
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

CommandLine::CommandLine(const std::string& name, const std::string& description,
                         std::string (*version)())
    : app_(std::make_unique<CLI::App>(description, name)) {
  app_->formatter(std::make_shared<Help>());
  app_->require_subcommand(1);
  app_->set_version_flag("--version", version,
                         "version, processor, libraries and the kernels that they chose");
  app_->fallthrough();
}

CommandLine::~CommandLine() = default;

std::optional<int> CommandLine::parse(std::vector<std::string> arguments,
                                      void (*rewrite)(const std::string&,
                                                      std::vector<std::string>&)) {
  refuse_strange_numbers(*app_);
  const size_t at = verb_position(*app_, arguments);
  const std::string name = at < arguments.size() ? arguments[at] : "";
  if (name == "help") {  // `limbic help`, `limbic help VERB`: as --help
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at));
    arguments.push_back("--help");
    return parse(std::move(arguments), rewrite);
  }
  if (name.empty() && at == arguments.size() && arguments.empty()) {
    std::fputs(app_->help().c_str(), stderr);
    return wrong_usage;
  }
  if (!name.empty() && !is_verb(*app_, name)) {
    say_failed("unknown verb '" + name + "'; see limbic --help");
    return wrong_usage;
  }
  rewrite(name, arguments);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app_->parse(arguments);
  } catch (const CLI::Success& e) {
    return app_->exit(e);  // --help
  } catch (const CLI::ParseError& e) {
    const auto chosen = app_->get_subcommands();
    const std::string verb = chosen.empty() ? "" : chosen[0]->get_name() + " ";
    say_failed(e.what() + ("; see limbic " + verb) + "--help");
    return wrong_usage;
  }
  return {};
}

}  // namespace limbic::cli
