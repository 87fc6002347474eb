#pragma once
// What the checks of the lessons are made of: what came beside what was expected, and a hint.
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "reference/array.h"

namespace limbic::course {

using reference::Array;
using reference::count;
using reference::Shape;

struct NotSolved {};
struct Wrong {
  std::string message;
};

/// The body of an exercise that waits for its reader; it takes the arguments so that no compiler
/// complains of their not being used.
template <class... Arguments>
[[noreturn]] void not_solved(const Arguments&...) {
  throw NotSolved{};
}

/// A row of numbers; a single one.
inline Array numbers(std::vector<double> values) {
  Array out;
  out.shape = {static_cast<int64_t>(values.size())};
  out.values = std::move(values);
  return out;
}
inline Array number(double value) { return numbers({value}); }
/// An array of a shape with these values.
inline Array array(Shape shape, std::vector<double> values) {
  Array out(std::move(shape));
  out.values = std::move(values);
  return out;
}

inline std::string write(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// Position of the first element that differs by more than a rounding error; -1: none does.
inline int64_t first_difference(const Array& a, const Array& b) {
  for (int64_t i = 0; i < std::ssize(a.values); ++i)
    if (!(std::abs(a[i] - b[i]) <= 1e-6 * (1 + std::abs(b[i])))) return i;
  return -1;
}

inline bool are_equal(const Array& a, const Array& b) {
  return a.shape == b.shape && a.values.size() == b.values.size() && first_difference(a, b) < 0;
}

/// The indices of an array's i-th element.
inline Shape place(const Shape& shape, int64_t i) {
  Shape indices(shape.size());
  for (size_t d = shape.size(); d-- > 0; i /= shape[d]) indices[d] = i % shape[d];
  return indices;
}

/// What many write first, what comes of it, and what to say to them.
struct Mistake {
  Array would_give;
  const char* hint;
};

struct Expectation {
  Array expected;
  const char* hint;  ///< For whatever is none of the mistakes.
  std::vector<Mistake> mistakes = {};
};

/// Ends the exercise, saying what was expected, what came and what may help, unless `came` is it.
inline void expect(const std::string& what, const Array& came, const Expectation& e) {
  if (are_equal(came, e.expected)) return;
  std::string message = what;
  const auto line = [&](const char* name, const std::string& text) {
    message += std::string("\n      ") + name + text;
  };
  if (came.shape != e.expected.shape || came.values.size() != e.expected.values.size()) {
    line("expected an array of shape ", reference::text(e.expected.shape));
    line("came one of shape          ", reference::text(came.shape));
  } else {
    const int64_t i = first_difference(came, e.expected);
    if (std::ssize(came.values) > 1) line("at       ", reference::text(place(came.shape, i)));
    line("expected ", write(e.expected[i]));
    line("came     ", write(came[i]));
  }
  const char* hint = e.hint;
  for (const Mistake& mistake : e.mistakes)
    if (are_equal(came, mistake.would_give)) hint = mistake.hint;
  line("hint: ", hint);
  throw Wrong{message};
}

/// Runs exercises and counts those that are solved.
class Lesson {
 public:
  explicit Lesson(const char* title) { std::printf("%s\n", title); }

  template <class Body>
  void exercise(const char* name, const Body& body) {
    ++exercises_;
    std::printf("  exercise %d, %s: ", exercises_, name);
    std::fflush(stdout);  // should the body end the program
    std::string verdict = "solved";
    try {
      body();
      ++solved_;
    } catch (const NotSolved&) {
      verdict = "not solved yet";
    } catch (const Wrong& wrong) {
      verdict = "not right yet\n      " + wrong.message;
    } catch (const std::exception& error) {
      verdict = std::string("not right yet\n      it threw an exception: ") + error.what();
    }
    std::printf("%s\n", verdict.c_str());
  }

  /// The program's exit status.
  int finish() const {
    std::printf("%d of %d exercises solved\n", solved_, exercises_);
    return solved_ == exercises_ ? 0 : 1;
  }

 private:
  int exercises_ = 0, solved_ = 0;
};

}  // namespace limbic::course
