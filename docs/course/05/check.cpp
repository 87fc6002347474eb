#include "docs/course/03/graph.h"
#include "exercise.h"
#include "reference/glyphs.h"

using namespace limbic::course;
namespace reference = limbic::reference;

namespace {

Array uniform(Shape shape, reference::Random& random) {
  Array out(std::move(shape));
  for (double& x : out.values) x = random.uniform(-1, 1);
  return out;
}

void check_concat() {
  // One pixel; one channel and two; two pictures.
  const Array a({2, 1, 1, 1}), b({2, 2, 1, 1}), dy = array({2, 3, 1, 1}, {1, 2, 3, 4, 5, 6});
  const auto d = concat_gradients({a, b}, dy);
  expect("how many gradients come for two src", number(static_cast<double>(d.size())),
         {number(2), "a gradient for each src"});
  expect(
      "src of 1 and 2 channels, two pictures, dy 1 2 3 | 4 5 6: the first gradient", d[0],
      {array({2, 1, 1, 1}, {1, 4}),
       "the first channel of each picture",
       {{array({2, 1, 1, 1}, {1, 2}),
         "dy is cut as if all of src[0] came first; each *picture* has its channels together"}}});
  expect("src of 1 and 2 channels, two pictures, dy 1 2 3 | 4 5 6: the second gradient", d[1],
         {array({2, 2, 1, 1}, {2, 3, 5, 6}),
          "channels 1 and 2 of each picture",
          {{array({2, 2, 1, 1}, {1, 2, 4, 5}), "it begins behind the channels of src[0]"}}});
  reference::Random random(1);
  const std::vector<Array> three = {Array({2, 2, 3, 2}), Array({2, 1, 3, 2}), Array({2, 3, 3, 2})};
  const Array grown = uniform({2, 6, 3, 2}, random);
  const auto came = concat_gradients(three, grown), twin = reference::concat_backward(three, grown);
  expect("src of 2, 1 and 3 channels: the last gradient", came.back(),
         {twin.back(), "it begins behind the channels of all src before it"});
}

void check_channels() {
  const auto features = [](const DenseNet& net) {
    return number(static_cast<double>(feature_channels(net)));
  };
  expect("one block of 3 layers, first 10, growth 4",
         features({.first = 10, .growth = 4, .blocks = {3}}),
         {number(22),
          "10 + 3 * 4",
          {{number(11), "behind the last block there is no transition"},
           {number(17), "in front of the first block there is no transition"}}});
  expect("DenseNet-121: first 64, growth 32, blocks of 6 12 24 16",
         features({.blocks = {6, 12, 24, 16}}),
         {number(1024),
          "64 -> 256, halved 128 -> 512, halved 256 -> 1024, halved 512 -> 1024",
          {{number(512), "behind the last block there is no transition"},
           {number(1920), "a transition stands between two blocks and halves"}}});
  expect("first 5, growth 2, blocks of 1 1 (an odd number is halved)",
         features({.first = 5, .growth = 2, .blocks = {1, 1}}),
         {number(5), "5 + 2 = 7, halved 3, + 2"});
}

void check_block() {
  // One pixel, so that of a 3x3 kernel only the middle counts: 2 -> relu(3*2) = 6,
  // then relu(1*2 + 0.5*6) = 5.
  Array first({1, 1, 3, 3}), second({1, 2, 3, 3});
  first.at(0, 0, 1, 1) = 3;
  second.at(0, 0, 1, 1) = 1;
  second.at(0, 1, 1, 1) = 0.5;
  const Shape one = {1, 1, 1, 1}, three = {1, 3, 1, 1};
  expect("the page's example: values 2 6 5, dy 1 1 1",
         dense_block_backward(array(three, {2, 6, 5}), {first, second}, array(three, {1, 1, 1})),
         {array(one, {6.5}),
          "layer 1 sends 1 and 0.5; then layer 0 has 1 + 0.5 and sends 3 * 1.5; 1 + 1 + 4.5",
          {{array(one, {5}),
            "layer 0's gradient was not complete: begin with the last layer, it reads layer 0 too"},
           {array(one, {4.5}), "what layers send is *added* to what is already there"},
           {array(one, {1.5}), "what layers send is *added* to what is already there"},
           {array(one, {5.5}), "dy of src itself is missing"},
           {array(one, {1}), "nothing was sent back through the layers"}}});
  expect("the page's example, but layer 1 made 0: values 2 6 0, dy 1 1 1",
         dense_block_backward(array(three, {2, 6, 0}), {first, second}, array(three, {1, 1, 1})),
         {array(one, {4}),
          "relu lets nothing back where it made 0",
          {{array(one, {6.5}), "relu's gradient is missing"}}});

  reference::Random random(2);
  const Array src = uniform({2, 2, 3, 4}, random);
  const std::vector<Array> weights = {uniform({3, 2, 3, 3}, random), uniform({3, 5, 3, 3}, random),
                                      uniform({3, 8, 3, 3}, random)};
  Graph g;
  const Graph::Value input = g.input(src);
  Graph::Value x = input;
  for (const Array& weight : weights)
    x = g.concat(x, g.relu(g.conv2d(x, g.input(weight), {.padding = 1})));
  g.backward(x);
  Array ones(g.value(x).shape);
  for (double& d : ones.values) d = 1;
  expect(
      "3 layers of growth 3, beside the graph of lesson 3",
      dense_block_backward(g.value(x), weights, ones),
      {g.gradient(input), "weights[l] has (growth, channels before, 3, 3): both counts are in it"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 5: dense blocks");
  lesson.exercise("concat_gradients", check_concat);
  lesson.exercise("feature_channels", check_channels);
  lesson.exercise("dense_block_backward", check_block);
  return lesson.finish();
}
