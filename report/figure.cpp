#include "limbic/report/figure.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/io/utf8.h"
#include "limbic/report/text.h"

namespace limbic::report {
namespace {

// A thing of the figure: at which step, beside which branches.
struct Box {
  int step = 0;
  double lane = 0, lanes = 1;      // where it begins and how many it takes
  std::vector<std::string> lines;  // the first in bold
  bool rounded = false;            // what computes, not a vector
};

struct Arrow {
  size_t from, to;
};

struct Drawing {
  std::vector<Box> boxes;
  std::vector<Arrow> arrows;
};

struct Rectangle {
  double x, y, width, height;
};

// Pieces of at most `most` characters, cut behind spaces, underscores and dashes where there are.
std::vector<std::string> wrapped(const std::string& text, size_t most) {
  std::vector<std::string> out(1);
  size_t length = 0, cut = 0;  // characters of the last piece; bytes of it that may stay
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = std::max<size_t>(io::utf8_length(std::string_view(text).substr(at)), 1);
    if (length == most) {
      std::string rest = cut > 0 ? out.back().substr(cut) : "";
      if (cut > 0) out.back().resize(cut);
      length = rest.size(), cut = 0;
      out.push_back(std::move(rest));
    }
    out.back() += text.substr(at, bytes);
    ++length;
    const char c = text[at];
    if (c == ' ' || c == '_' || c == '-') cut = out.back().size();
    at += bytes;
  }
  return out;
}

// The figure as boxes and arrows: steps are picture, CNNs, vectors, fused vector, classifiers.
Drawing drawing_of(const PipelineFigure& figure) {
  Drawing d;
  const auto n = static_cast<double>(figure.branches.size());
  d.boxes.push_back({0, 0, n, {"picture"}});
  for (size_t i = 0; i < figure.branches.size(); ++i) {
    const auto& b = figure.branches[i];
    const std::string size = std::to_string(b.image_size);
    const auto lane = static_cast<double>(i);
    d.boxes.push_back({1, lane, 1, {b.role, b.model, size + "\u00d7" + size + "\u00d73"}, true});
    d.boxes.push_back({2, lane, 1, {b.vector, b.made_by + ": " + thousands(b.width)}});
    if (!b.weight.empty()) d.boxes.back().lines.push_back("\u00d7 " + b.weight);
    d.arrows.push_back({0, d.boxes.size() - 2});
    d.arrows.push_back({d.boxes.size() - 2, d.boxes.size() - 1});
  }
  const size_t fused = d.boxes.size();
  for (size_t i = 0; i < figure.branches.size(); ++i) d.arrows.push_back({2 + 2 * i, fused});
  d.boxes.push_back({3, 0, n, {"fused vector", thousands(figure.fused_width) + " features"}});
  const auto m = static_cast<double>(figure.classifiers.size());
  for (size_t i = 0; i < figure.classifiers.size(); ++i) {
    const std::string& text = figure.classifiers[i];
    const size_t comma = std::min(text.find(", "), text.size());
    Box box{4, static_cast<double>(i) * n / m, n / m, {text.substr(0, comma)}, true};
    if (comma < text.size()) box.lines.push_back(text.substr(comma + 2));
    box.lines.push_back(thousands(figure.classes) + " emotions");
    d.arrows.push_back({fused, d.boxes.size()});
    d.boxes.push_back(std::move(box));
  }
  return d;
}

struct Line {
  std::string text;
  bool bold;
};
constexpr double line_height = 16;

std::vector<Line> lines_of(const Box& box, double width) {
  std::vector<Line> out;
  for (size_t i = 0; i < box.lines.size(); ++i) {
    const double character = i == 0 ? 7.6 : 6.9;
    const auto most = static_cast<size_t>(std::max(1.0, (width - 6) / character));
    for (std::string& piece : wrapped(box.lines[i], most))
      out.push_back({std::move(piece), i == 0});
  }
  return out;
}

// Where boxes stand: steps from left to right, or from top to bottom, as high as their lines are.
struct Layout {
  bool tall;
  double lane = 60, lane_gap = 14, between = 40;  // height or width of a lane; the gaps
  std::vector<double> steps = {92, 158, 138, 130, 176}, from;  // extents, where they begin

  Layout(bool is_tall, double lanes, const std::vector<Box>& boxes) : tall(is_tall) {
    if (tall) {
      lane_gap = 8, between = 26, lane = (330 - 2 - (lanes - 1) * lane_gap) / lanes;
      steps.assign(5, 34);
    }
    for (const Box& box : boxes) {
      double& step = steps[static_cast<size_t>(box.step)];
      const double width = tall ? box.lanes * (lane + lane_gap) - lane_gap : step;
      const double wanted = line_height * static_cast<double>(lines_of(box, width).size()) + 16;
      if (tall)
        step = std::max(step, wanted);
      else
        lane = std::max(lane, (wanted + lane_gap) / box.lanes - lane_gap);
    }
    double at = 1;
    for (const double step : steps) {
      from.push_back(at);
      at += step + between;
    }
  }

  Rectangle at(const Box& b) const {
    const auto step = static_cast<size_t>(b.step);
    const double begin = 1 + b.lane * (lane + lane_gap);
    const double extent = b.lanes * (lane + lane_gap) - lane_gap;
    return tall ? Rectangle{begin, from[step], extent, steps[step]}
                : Rectangle{from[step], begin, steps[step], extent};
  }
};

std::string number(double value) { return number_text(value, 1); }

std::string draw(const Box& box, const Rectangle& r) {
  std::string out = "<rect x=\"" + number(r.x) + "\" y=\"" + number(r.y) + "\" width=\"" +
                    number(r.width) + "\" height=\"" + number(r.height) + "\" rx=\"" +
                    (box.rounded ? "9" : "2") +
                    "\" style=\"fill:var(--box,#eef3f8);stroke:var(--accent,#0072b2)\"/>\n";
  const std::vector<Line> lines = lines_of(box, r.width);
  double y = r.y + r.height / 2 - line_height * (static_cast<double>(lines.size()) - 1) / 2 + 4;
  for (const Line& line : lines) {
    out += "<text text-anchor=\"middle\" x=\"" + number(r.x + r.width / 2) + "\" y=\"" + number(y) +
           "\"" + (line.bold ? " font-weight=\"650\">" : ">") + escape_html(line.text) +
           "</text>\n";
    y += line_height;
  }
  return out;
}

// From the middle of the smaller one's side straight to the other.
std::string draw(const Rectangle& a, const Rectangle& b, bool tall) {
  const auto middle = [&](const Rectangle& r) {
    return tall ? r.x + r.width / 2 : r.y + r.height / 2;
  };
  const double extent_a = tall ? a.width : a.height, extent_b = tall ? b.width : b.height;
  const double across = extent_a < extent_b ? middle(a) : middle(b);
  const double begin = (tall ? a.y + a.height : a.x + a.width) + 3;
  const double end = (tall ? b.y : b.x) - 3;
  const std::string p = number(across), q = number(across - 4), s = number(across + 4);
  const std::string tip = number(end - 7), from = number(begin), to = number(end);
  const std::string line =
      tall ? "M" + p + " " + from + "V" + tip : "M" + from + " " + p + "H" + tip;
  const std::string head =
      tall ? "M" + q + " " + tip + "L" + s + " " + tip + "L" + p + " " + to + "z"
           : "M" + tip + " " + q + "L" + tip + " " + s + "L" + to + " " + p + "z";
  return "<path style=\"stroke:var(--soft,#5d626d);stroke-width:1.5;fill:none\" d=\"" + line +
         "\"/><path style=\"fill:var(--soft,#5d626d)\" d=\"" + head + "\"/>\n";
}

}  // namespace

std::string draw_pipeline(const PipelineFigure& figure, bool tall) {
  require(!figure.branches.empty(), "report: a pipeline of no network");
  Drawing d = drawing_of(figure);
  const auto lanes = std::max(static_cast<double>(figure.branches.size()),
                              tall ? 1.0 : static_cast<double>(figure.classifiers.size()));
  if (lanes > static_cast<double>(figure.branches.size()))
    for (Box& box : d.boxes) {  // fewer branches than classifiers
      const double scale = lanes / static_cast<double>(figure.branches.size());
      box.lane *= scale, box.lanes *= scale;
    }
  const Layout layout(tall, lanes, d.boxes);
  const double steps = layout.from.back() + layout.steps.back() + 1;
  const double across = lanes * (layout.lane + layout.lane_gap) - layout.lane_gap + 2;
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"" + std::string(tall ? "tall" : "wide") +
      "\" viewBox=\"0 0 " + number(tall ? across : steps) + " " + number(tall ? steps : across) +
      "\" font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\" "
      "aria-label=\"" +
      escape_html(describe_pipeline(figure)) + "\">\n<g style=\"fill:var(--ink,#22242a)\">\n";
  for (const Arrow& arrow : d.arrows)
    out += draw(layout.at(d.boxes[arrow.from]), layout.at(d.boxes[arrow.to]), tall);
  for (const Box& box : d.boxes) out += draw(box, layout.at(box));
  return out + "</g>\n</svg>\n";
}

std::string draw_pipeline(const PipelineFigure& figure) {
  return draw_pipeline(figure, false) + draw_pipeline(figure, true);
}

std::string describe_pipeline(const PipelineFigure& figure) {
  std::string out = "A picture goes into ";
  for (size_t i = 0; i < figure.branches.size(); ++i) {
    const auto& b = figure.branches[i];
    out += str_cat(i == 0                           ? ""
                   : i + 1 < figure.branches.size() ? ", "
                                                    : " and ",
                   b.role, " (", b.model, ", ", b.image_size, "x", b.image_size, "x3), whose ",
                   b.width, " values behind ", b.made_by, " are ", b.vector,
                   b.weight.empty() ? "" : ", times " + b.weight);
  }
  out += str_cat("; together they are a vector of ", figure.fused_width, ", from which ");
  for (size_t i = 0; i < figure.classifiers.size(); ++i)
    out += (i == 0 ? "" : " and ") + figure.classifiers[i];
  return out + str_cat(figure.classifiers.size() == 1 ? " tells " : " tell ", figure.classes,
                       " emotions apart.");
}

Report::Figure pipeline_section(const PipelineFigure& figure) {
  return {.title = "The model",
          .explanation =
              "A box with round corners computes; the others are what goes between. GAP: "
              "the global average over a CNN's last feature maps.",
          .svg = draw_pipeline(figure),
          .text = describe_pipeline(figure)};
}

}  // namespace limbic::report
