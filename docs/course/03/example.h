#pragma once
// The graph that the lesson works by hand: y = relu(w x + b + x).
#include "graph.h"

namespace limbic::course {

struct Example {
  Graph graph;
  Graph::Value x, w, b, h, s, y;

  Example()
      : x(graph.input(array({1, 1}, {3}))),
        w(graph.input(array({1, 1}, {2}))),
        b(graph.input(number(-1))),
        h(graph.linear(x, w, b)),
        s(graph.add(h, x)),
        y(graph.relu(s)) {
    graph.backward(y);
  }
};

}  // namespace limbic::course
