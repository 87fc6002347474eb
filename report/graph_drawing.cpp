#include "limbic/report/graph_drawing.h"

#include <algorithm>
#include <cstdio>

#include "limbic/core/error.h"
#include "limbic/report/text.h"

namespace limbic::report {
namespace {

constexpr int64_t top = 56, left = 16, box_width = 540, box_height = 42, gap = 16, lane_width = 9;
const char* const line_colours[] = {"#b4540a", "#1668b8", "#2c7a3f",
                                    "#8a3aa8", "#8c6d00", "#b02a50"};

struct Box {
  std::vector<int> nodes;     // in the order of computing; the first says what it is
  std::vector<size_t> reads;  // other boxes, each once
};

// From one box to all that read it, but for the next one, to which an arrow leads.
struct Line {
  size_t from;
  std::vector<size_t> to;
  size_t lane = 0;
};

bool has_weights(const Node& node) {
  const auto parameters = node.op->parameters();
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const ParameterSpec& p) { return p.shape.size() > 1; });
}

// Boxes in order; node 0, the input, is one.
std::vector<Box> boxes_of(const Graph& graph, const std::vector<Shape>& shapes) {
  const auto& nodes = graph.nodes();
  std::vector<int> readers(nodes.size());
  for (const Node& node : nodes)
    for (const int s : node.src) ++readers[static_cast<size_t>(s)];
  std::vector<Box> boxes = {{{0}, {}}};
  std::vector<size_t> box_of(nodes.size());
  for (size_t n = 1; n < nodes.size(); ++n) {
    const Node& node = nodes[n];
    const auto src = static_cast<size_t>(node.src[0]);
    const bool goes_on = node.src.size() == 1 && src == n - 1 && src > 0 && readers[src] == 1 &&
                         !has_weights(node) && shapes[n] == shapes[src];
    if (!goes_on) boxes.emplace_back();
    Box& box = boxes.back();
    box.nodes.push_back(static_cast<int>(n));
    box_of[n] = boxes.size() - 1;
    if (goes_on) continue;
    for (const int s : node.src) {
      const size_t other = box_of[static_cast<size_t>(s)];
      if (std::find(box.reads.begin(), box.reads.end(), other) == box.reads.end())
        box.reads.push_back(other);
    }
  }
  return boxes;
}

// Each line takes the first lane that is free from its beginning to its end.
std::vector<Line> lines_of(const std::vector<Box>& boxes) {
  std::vector<Line> lines;
  for (size_t from = 0; from < boxes.size(); ++from) {
    Line line{from, {}};
    for (size_t to = from + 2; to < boxes.size(); ++to)
      if (std::find(boxes[to].reads.begin(), boxes[to].reads.end(), from) != boxes[to].reads.end())
        line.to.push_back(to);
    if (!line.to.empty()) lines.push_back(std::move(line));
  }
  std::vector<size_t> busy_until;
  for (Line& line : lines) {
    while (line.lane < busy_until.size() && busy_until[line.lane] > line.from) ++line.lane;
    if (line.lane == busy_until.size()) busy_until.push_back(0);
    busy_until[line.lane] = line.to.back();
  }
  return lines;
}

// "conv2d 3x3 /2".
std::string describe(const Graph& graph, int n, const std::vector<Shape>& shapes) {
  const Node& node = graph.node(n);
  std::string out = node.op->type();
  const auto parameters = node.op->parameters();
  if (!parameters.empty() && parameters[0].shape.size() == 4)
    out += str_cat(" ", parameters[0].shape[2], "x", parameters[0].shape[3]);
  const Shape &src = shapes[static_cast<size_t>(node.src[0])],
              &dst = shapes[static_cast<size_t>(n)];
  if (src.size() == 4 && dst.size() == 4 && dst[2] > 1 && dst[2] < src[2])
    out += str_cat(" /", (src[2] + dst[2] / 2) / dst[2]);
  return out;
}

const char* colour_of(const std::string& type) {
  if (type == "conv2d") return "#dbe9f9";
  if (type == "linear") return "#e8def5";
  if (type == "add" || type == "concat") return "#fbe7cf";
  return type.find("pool") != type.npos || type == "upsample" ? "#dcf0df" : "#ececec";
}

std::string text(int64_t x, int64_t y, const char* style, const std::string& words) {
  return str_cat("<text x=\"", x, "\" y=\"", y, "\" ", style, ">", escape_html(words), "</text>\n");
}

// At most `most` characters.
std::string shortened(const std::string& words, size_t most) {
  return words.size() <= most ? words : words.substr(0, most - 3) + "...";
}

int64_t middle(size_t box) {
  return top + static_cast<int64_t>(box) * (box_height + gap) + box_height / 2;
}

std::string draw_box(const Graph& graph, const Box& box, size_t index,
                     const std::vector<Shape>& shapes) {
  const int first = box.nodes.front(), last = box.nodes.back();
  std::string does = first == 0 ? "input" : "", labels;
  int64_t parameters = 0, work = 0;
  for (const int n : box.nodes) {
    if (n == 0) continue;
    const Node& node = graph.node(n);
    does += (does.empty() ? "" : ", ") + describe(graph, n, shapes);
    for (const ParameterSpec& p : node.op->parameters())
      parameters += p.trainable ? count(p.shape) : 0;
    std::vector<Shape> src;
    for (const int s : node.src) src.push_back(shapes[static_cast<size_t>(s)]);
    work += node.op->multiply_adds(src);
  }
  for (const auto& [label, n] : graph.labels())
    if (n >= first && n <= last) labels += (labels.empty() ? "" : ", ") + label;
  std::string numbers = to_string(shapes[static_cast<size_t>(last)]);
  if (parameters > 0) numbers += ", " + thousands(parameters) + " parameters";
  if (work > 0) numbers += ", " + thousands(work) + " multiply-adds";
  const int64_t y = middle(index) - box_height / 2;
  std::string out = str_cat("<rect x=\"", left, "\" y=\"", y, "\" width=\"", box_width,
                            "\" height=\"", box_height, "\" rx=\"5\" fill=\"",
                            first == 0 ? "#ffffff" : colour_of(graph.node(first).op->type()),
                            "\" stroke=\"#8a8f98\"/>\n");
  std::string name = first == 0 ? "" : graph.node(first).name;
  if (name.size() > 34) name = "..." + name.substr(name.size() - 31);
  if (first != 0) name += ": ";
  out +=
      text(left + 10, y + 17, "font-weight=\"bold\"", name + shortened(does, 60 - name.size() / 2));
  out += text(left + 10, y + 34, "fill=\"#444\"", numbers);
  if (!labels.empty())
    out += text(left + box_width - 10, y + 34, "text-anchor=\"end\" fill=\"#a03000\"",
                shortened(labels, 30));
  return out;
}

std::string draw_line(const Line& line) {
  const int64_t edge = left + box_width,
                x = edge + 14 + static_cast<int64_t>(line.lane) * lane_width;
  const char* colour = line_colours[line.lane % std::size(line_colours)];
  const int64_t begin = middle(line.from) + 8, end = middle(line.to.back()) - 8;
  std::string path = str_cat("M", edge, " ", begin, "H", x, "V", end);
  std::string heads;
  for (const size_t to : line.to) {
    const int64_t y = middle(to) - 8;
    path += str_cat("M", x, " ", y, "H", edge + 6);
    heads += str_cat("<path d=\"M", edge, " ", y, "l7 -4v8z\" fill=\"", colour, "\"/>\n");
  }
  return str_cat("<path d=\"", path, "\" fill=\"none\" stroke=\"", colour, "\"/>\n", heads);
}

}  // namespace

std::string draw_graph(const Graph& graph, const Shape& input, const std::string& title) {
  const std::vector<Shape> shapes = graph.infer(input);
  const std::vector<Box> boxes = boxes_of(graph, shapes);
  const std::vector<Line> lines = lines_of(boxes);
  size_t lanes = 0;
  for (const Line& line : lines) lanes = std::max(lanes, line.lane + 1);
  const int64_t width = left + box_width + 30 + static_cast<int64_t>(lanes) * lane_width;
  const int64_t height = middle(boxes.size()) - box_height / 2;
  std::string out = str_cat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", width, " ",
                            height, "\" width=\"", width, "\" height=\"", height,
                            "\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>",
                            escape_html(title),
                            "</title>\n<rect width=\"100%\" height=\"100%\" "
                            "fill=\"#ffffff\"/>\n");
  out += text(left, 30, "font-size=\"17\" font-weight=\"bold\"", title);
  for (size_t i = 1; i < boxes.size(); ++i)
    if (std::find(boxes[i].reads.begin(), boxes[i].reads.end(), i - 1) != boxes[i].reads.end()) {
      const int64_t x = left + box_width / 2, y = middle(i) - box_height / 2;
      out += str_cat("<path d=\"M", x, " ", y - gap, "V", y - 6, "\" stroke=\"#444\"/><path d=\"M",
                     x, " ", y, "l-4 -7h8z\" fill=\"#444\"/>\n");
    }
  for (const Line& line : lines) out += draw_line(line);
  for (size_t i = 0; i < boxes.size(); ++i) out += draw_box(graph, boxes[i], i, shapes);
  return out + "</svg>\n";
}

}  // namespace limbic::report
