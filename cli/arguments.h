#pragma once
// What the verbs say of their options. Reading them is CLI11's work, whose header is long: it is
// included by arguments.cpp alone.
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace limbic::cli {

/// What a value must be; anything else is wrong usage.
using Check = std::shared_ptr<const CLI::Validator>;
Check one_of(std::vector<std::string> values);
/// One of these words, of which help shows `name` and an error the whole list.
Check one_of_many(const std::string& name, const std::vector<std::string>& values);
Check zero_or(int other);
Check range(int low, int high);
Check range(double low, double high);
/// Of which `allowed` holds, too; `wanted` says so.
Check finite_number(
    const std::string& wanted = "that is finite",
    bool (*allowed)(double) = [](double) { return true; });
Check above_zero();
/// Infinity too, which no option takes otherwise.
Check above_zero_or_infinite();
Check not_negative();
/// Whose number of bytes an int64_t holds.
Check megabytes();

class Option {
 public:
  explicit Option(CLI::Option* option = nullptr) : option_(option) {}
  Option check(const Check& check) const;
  Option required() const;
  Option excludes(const Option& other) const;
  Option delimiter(char c) const;     ///< Between the values of one argument.
  Option expected(int values) const;  ///< Arguments that it takes.
  Option one_value_each() const;      ///< Of one that may come again: what follows is not its own.
  bool given() const;

 private:
  CLI::Option* option_;
};

/// A verb, or the program itself.
class Verb {
 public:
  explicit Verb(CLI::App& app) : app_(&app) {}
  /// Of a type that arguments.cpp lists.
  template <class T>
  Option add_option(const std::string& names, T& value, const std::string& help) const;
  Option add_flag(const std::string& names, bool& value, const std::string& help) const;
  Option option(const std::string& name) const;
  void keep_h_free() const;  ///< Help is --help alone, -h an option.
  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

/// The program: options of its own, and verbs.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& description, std::string (*version)());
  ~CommandLine();
  Verb verb() const { return Verb(*app_); }
  /// Reads the arguments and has the chosen verb called. The exit status, where that is all there
  /// is to do: after --help, and after a wrong word, which it names. `rewrite` may change the
  /// arguments of the verb that is named to it.
  std::optional<int> parse(std::vector<std::string> arguments,
                           void (*rewrite)(const std::string& verb, std::vector<std::string>&));

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace limbic::cli
