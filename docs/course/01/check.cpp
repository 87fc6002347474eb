#include "exercise.h"

using namespace limbic::course;

namespace {

void check_photo() {
  // Two pixels, one below the other: (255, 0, 51) and (0, 102, 255).
  const std::vector<uint8_t> bytes = {255, 0, 51, 0, 102, 255};
  const Shape shape = {1, 3, 2, 1};
  expect(
      "pixels (255, 0, 51) and (0, 102, 255), mean 0, deviation 1",
      photo_to_array(bytes, {.height = 2, .width = 1, .mean = {0, 0, 0}, .deviation = {1, 1, 1}}),
      {array(shape, {1, 0, 0, 0.4, 0.2, 1}),
       "all red values come first, then all green ones, then all blue ones",
       {{array(shape, {1, 0, 0.2, 0, 0.4, 1}),
         "the values are still in the order of the file; byte (y * W + x) * 3 + c goes to "
         "at(0, c, y, x)"},
        {array(shape, {255, 0, 0, 102, 51, 255}), "the bytes are 0-255; divide by 255"},
        {array(shape, {0.2, 1, 0, 0.4, 1, 0}), "red and blue have changed places"}}});
  expect(
      "pixels (255, 0, 51) and (0, 102, 255), mean 0.5, 0.4, 0.2 and deviation 0.25, 0.2, 0.1",
      photo_to_array(
          bytes, {.height = 2, .width = 1, .mean = {0.5, 0.4, 0.2}, .deviation = {0.25, 0.2, 0.1}}),
      {array(shape, {2, -2, -2, 0, 0, 8}),
       "subtract the channel's mean, then divide by its deviation",
       {{array(shape, {3.5, -0.5, -0.4, 1.6, 1.8, 9.8}),
         "the mean is subtracted before the division"},
        {array(shape, {1, 0, 0, 0.4, 0.2, 1}), "mean and deviation are not used"}}});
}

void check_resize() {
  const Array row = array({1, 1, 1, 4}, {0, 10, 20, 30});
  expect("a row 0 10 20 30, made half as wide", resize_bilinear(row, {1, 2}),
         {array({1, 1, 1, 2}, {5, 25}),
          "the middles of the two wide pixels lie at 0.5 and 2.5",
          {{array({1, 1, 1, 2}, {0, 20}),
            "you begin at the pixel's left edge: the middle lies at (x + 0.5) * W / width - 0.5"},
           {array({1, 1, 1, 2}, {0, 30}),
            "corners are laid on corners; here pixels are squares, and edges lie on edges"}}});
  expect(
      "a row 0 10, made twice as wide", resize_bilinear(array({1, 1, 1, 2}, {0, 10}), {1, 4}),
      {array({1, 1, 1, 4}, {0, 2.5, 7.5, 10}),
       "the middles lie at -0.25, 0.25, 0.75 and 1.25; before 0 and behind 1 take the border's "
       "value",
       {{array({1, 1, 1, 4}, {-2.5, 2.5, 7.5, 12.5}),
         "that goes on in a straight line outside of the picture; take the nearest pixel there"},
        {array({1, 1, 1, 4}, {0, 0, 10, 10}), "that is the nearest pixel, not a mixture of two"}}});
  expect("2x2 pixels 0 4 / 8 12 made one pixel",
         resize_bilinear(array({1, 1, 2, 2}, {0, 4, 8, 12}), 1),
         {array({1, 1, 1, 1}, {6}), "mix two pixels in each of two rows, then the two results"});
  expect("two channels of 1x2 pixels made 1x1",
         resize_bilinear(array({1, 2, 1, 2}, {0, 2, 10, 20}), 1),
         {array({1, 2, 1, 1}, {1, 15}), "each channel is resized by itself"});
}

void check_turn() {
  // 1 2 3      4 1
  // 4 5 6  ->  5 2
  //            6 3
  const Array src = array({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  expect("rows 1 2 3 and 4 5 6", turn_clockwise(src),
         {array({1, 1, 3, 2}, {4, 1, 5, 2, 6, 3}),
          "dst(y, x) comes from column y of src; from which row?",
          {{array({1, 1, 3, 2}, {3, 6, 2, 5, 1, 4}), "that is counter-clockwise"},
           {array({1, 1, 3, 2}, {1, 4, 2, 5, 3, 6}),
            "that is a reflection (a transposed matrix); writing would stand mirrored"},
           {array({1, 1, 2, 3}, {6, 5, 4, 3, 2, 1}), "that is half a turn"}}});
  expect("rows 1 2 3 and 4 5 6 turned four times",
         turn_clockwise(turn_clockwise(turn_clockwise(turn_clockwise(src)))),
         {src, "four quarters of a turn leave a picture as it was"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 1: pictures to numbers");
  lesson.exercise("photo_to_array", check_photo);
  lesson.exercise("resize_bilinear", check_resize);
  lesson.exercise("turn_clockwise", check_turn);
  return lesson.finish();
}
