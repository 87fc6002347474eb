#pragma once
#include <string>
#include <string_view>

#include "limbic/report/report.h"

namespace limbic::report {

/// `text` with control characters (but for \n and \t) and broken UTF-8 replaced by U+FFFD.
std::string clean_text(std::string_view text);
/// The same with the five characters that HTML gives a meaning replaced by entities.
std::string escape_html(std::string_view text);
/// The same for a cell or a paragraph of Markdown, on one line.
std::string escape_markdown(std::string_view text);
/// The same for LaTeX's text, on one line; letters that pdfTeX has not become "?".
std::string escape_latex(std::string_view text);

/// At most `digits` decimals, trailing zeros dropped, whatever the locale; "n/a" unless finite.
std::string number_text(double value, int digits);
/// Six significant digits; "n/a" unless finite.
std::string value_text(double value);
/// "1,234,567"; not of negative numbers.
std::string thousands(int64_t n);
/// "64.1 %" of 0.641.
std::string percent_text(double part);
/// The accuracy's own interval, else the 95 % one of its samples (Wilson 1927); none without.
std::optional<Report::Interval> interval_of(const Report::Accuracy& accuracy);
/// "59.6 % to 68.4 %", or nothing.
std::string interval_text(const Report::Accuracy& accuracy);

/// A section as a table; an empty one of paragraphs and figures.
Report::Table table_of(const Report::Section& section);
/// Throws Error where the parts of a section do not fit each other.
void check(const Report::Section& section);
bool is_empty(const Report::Section& section);

/// Calls the function that fits what a variant holds.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace limbic::report
