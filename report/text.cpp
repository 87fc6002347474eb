#include "limbic/report/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "limbic/io/utf8.h"

namespace limbic::report {
namespace {

constexpr const char* replacement = "\xEF\xBF\xBD";  // U+FFFD

// Replaces ASCII characters by what `replaced` gives for them; null: as it is.
template <class Replaced>
std::string escape(std::string_view text, const Replaced& replaced) {
  std::string out;
  for (const char c : clean_text(text)) {
    const char* with = replaced(c);
    if (with)
      out += with;
    else
      out += c;
  }
  return out;
}

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
  return escape(text, [](char c) -> const char* {
    switch (c) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '"':
        return "&quot;";
      case '\'':
        return "&#39;";
      default:
        return nullptr;
    }
  });
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
  std::string clean = clean_text(text);  // pdfTeX knows no U+FFFD
  for (size_t at = 0; (at = clean.find(replacement, at)) != clean.npos;) clean.replace(at, 3, "?");
  return escape(clean, [](char c) -> const char* {
    switch (c) {
      case '\\':
        return "\\textbackslash{}";
      case '~':
        return "\\textasciitilde{}";
      case '^':
        return "\\textasciicircum{}";
      case '"':
        return "{''}";
      case '<':
        return "\\textless{}";
      case '>':
        return "\\textgreater{}";
      case '|':
        return "\\textbar{}";
      case '[':  // behind \\ it would be an option
        return "{[}";
      case ']':
        return "{]}";
      case '*':
        return "{*}";
      case '`':
        return "{`}";
      case '\'':
        return "{'}";
      case '-':
        return "{-}";
      case '&':
        return "\\&";
      case '%':
        return "\\%";
      case '$':
        return "\\$";
      case '#':
        return "\\#";
      case '_':
        return "\\_";
      case '{':
        return "\\{";
      case '}':
        return "\\}";
      case '\n':
      case '\t':
        return " ";
      default:
        return nullptr;
    }
  });
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
  const double z = 1.96, n = static_cast<double>(accuracy.samples);
  const double p = std::clamp(accuracy.value, 0.0, 1.0), scale = 1 + z * z / n;
  const double center = (p + z * z / (2 * n)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  return Report::Interval{std::max(0.0, center - half), std::min(1.0, center + half)};
}

std::string interval_text(const Report::Accuracy& accuracy) {
  const auto interval = interval_of(accuracy);
  return interval ? percent_text(interval->low) + " to " + percent_text(interval->high)
                  : std::string();
}

}  // namespace limbic::report
