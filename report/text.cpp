#include "limbic/report/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "limbic/io/utf8.h"
#include "limbic/statistics/statistics.h"

namespace limbic::report {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string clean_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = io::utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F || c1;
    if (length == 0 || control)
      out += replacement;
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : clean_text(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

std::string escape_markdown(std::string_view text) {
  std::string out;
  const std::string clean = clean_text(text);
  for (size_t i = 0; i < clean.size(); ++i) {
    const std::string_view left = std::string_view(clean).substr(i);
    constexpr std::string_view special = "\\`*_[]#|~$@";
    if (left[0] == '\n' || left[0] == '\t')
      out += ' ';
    else if (left[0] == '&' || left[0] == '<' || left[0] == '>')
      out += left[0] == '&' ? "&amp;" : left[0] == '<' ? "&lt;" : "&gt;";
    else if (special.find(left[0]) != special.npos || left.starts_with("://"))
      out += std::string("\\") + left[0];
    else if (left.starts_with("www."))
      out += "www\\.", i += 3;  // else it becomes a link
    else
      out += left[0];
  }
  // What only the beginning of a line gives a meaning: "- list", "1. list", "===".
  const size_t digits = std::min(out.find_first_not_of("0123456789"), out.size());
  if (!out.empty() && std::string_view("-=+").find(out[0]) != std::string_view::npos)
    out.insert(0, "\\");
  if (digits > 0 && digits < out.size() && (out[digits] == '.' || out[digits] == ')') &&
      out.substr(digits + 1, 1) == " ")
    out.insert(digits, "\\");
  return out;
}

std::string escape_latex(std::string_view text) {
  constexpr std::pair<std::string_view, const char*> known[] = {
      {"\\", "\\textbackslash{}"},
      {"~", "\\textasciitilde{}"},
      {"^", "\\textasciicircum{}"},
      {"<", "\\textless{}"},
      {">", "\\textgreater{}"},
      {"|", "\\textbar{}"},
      {"\"", "{''}"},
      // Two of these in a row, or one behind \\, would be something else.
      {"[", "{[}"},
      {"]", "{]}"},
      {"*", "{*}"},
      {"`", "{`}"},
      {"'", "{'}"},
      {"-", "{-}"},
      {"&", "\\&"},
      {"%", "\\%"},
      {"$", "\\$"},
      {"#", "\\#"},
      {"_", "\\_"},
      {"{", "\\{"},
      {"}", "\\}"},
      {"\n", " "},
      {"\t", " "},
      {"\u03b1", "$\\alpha$"},
      {"\u03b2", "$\\beta$"},
      {"\u00d7", "$\\times$"},
      {"\u2212", "$-$"},
      {"\u2013", "{--}"},
      {"\u2026", "\\ldots{}"}};
  std::string out;
  const std::string clean = clean_text(text);
  for (size_t at = 0; at < clean.size();) {
    const size_t length = io::utf8_length(std::string_view(clean).substr(at));
    const std::string_view character = std::string_view(clean).substr(at, length);
    const auto* found = std::ranges::find(known, character, [](const auto& k) { return k.first; });
    if (found != std::end(known))
      out += found->second;
    else if (character >= "\u0180" || (character >= "\u0080" && character < "\u00a1"))
      out += '?';  // pdfTeX stops at what its fonts do not have
    else
      out += character;
    at += length;
  }
  return out;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  char buffer[400];
  const bool huge = std::abs(value) >= 1e15;
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    huge ? std::chars_format::scientific : std::chars_format::fixed, digits);
  std::string text(buffer, end.ptr);
  if (!huge && text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string value_text(double value) {
  if (!std::isfinite(value)) return "n/a";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6);
  return {buffer, end.ptr};
}

std::string thousands(int64_t n) {
  std::string out = std::to_string(n);
  for (size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, ",");
  return out;
}

std::string percent_text(double part) {
  if (!std::isfinite(part)) return "n/a";
  std::string text = number_text(part * 100, 1);
  if (text.find('.') == std::string::npos) text += ".0";
  return text + " %";
}

std::optional<Report::Interval> interval_of(const Report::Accuracy& accuracy) {
  if (!std::isfinite(accuracy.value)) return {};
  if (accuracy.interval) return accuracy.interval;
  if (accuracy.samples <= 0) return {};
  const statistics::Interval own =
      statistics::wilson(std::clamp(accuracy.value, 0.0, 1.0), accuracy.samples);
  return Report::Interval{own.low, own.high};
}

std::string interval_text(const Report::Accuracy& accuracy) {
  const auto interval = interval_of(accuracy);
  return interval ? percent_text(interval->low) + " to " + percent_text(interval->high)
                  : std::string();
}

}  // namespace limbic::report
