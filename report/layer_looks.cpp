#include "limbic/report/layer_looks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "limbic/core/error.h"
#include "limbic/io/png.h"
#include "limbic/report/text.h"

namespace limbic::report {
namespace {

using train::Histogram;
using train::LayerLook;
using train::Look;

constexpr int bins = Histogram::bins;

// Rows of a strip, from large positive values down through 0 to large negative ones: 2 * bins + 1.
int64_t row_of(const Histogram& h, int row) {
  if (row < bins) return h.positive[static_cast<size_t>(bins - 1 - row)];
  return row == bins ? h.zeros : h.negative[static_cast<size_t>(row - bins - 1)];
}

struct Strip {
  io::Picture picture;
  int least = 0, most = 0;  ///< Its rows show 2^least to 2^most, both signs.
};

// The darkest bin of a column is the fullest of that look.
Strip strip_of(const std::vector<const Histogram*>& looks) {
  int first = bins, last = 0;  // of the powers that occur
  for (const Histogram* h : looks)
    for (int b = 0; b < bins; ++b)
      if (h->positive[static_cast<size_t>(b)] + h->negative[static_cast<size_t>(b)] > 0) {
        first = std::min(first, b);
        last = std::max(last, b);
      }
  first = std::max(first, last - 19);  // smaller ones are drawn as 0
  const int shown = std::max(0, last - first + 1);
  Strip out{io::Picture(2 * shown + 1, std::ssize(looks)), Histogram::least + first,
            Histogram::least + last + 1};
  for (int64_t x = 0; x < out.picture.width; ++x) {
    const Histogram& h = *looks[static_cast<size_t>(x)];
    std::vector<int64_t> column(static_cast<size_t>(out.picture.height));
    for (int row = 0; row < 2 * bins + 1; ++row) {
      const int power = row < bins ? bins - 1 - row : row - bins - 1;
      int y = shown;
      if (row != bins && power >= first && power <= last)
        y = row < bins ? last - power : shown + 1 + power - first;
      column[static_cast<size_t>(y)] += row_of(h, row);
    }
    const auto fullest =
        static_cast<double>(std::max<int64_t>(1, *std::max_element(column.begin(), column.end())));
    for (int64_t y = 0; y < out.picture.height; ++y) {
      const double share = static_cast<double>(column[static_cast<size_t>(y)]) / fullest;
      uint8_t* pixel = out.picture.row(y) + 3 * x;
      const double light[] = {243, 246, 252}, dark[] = {20, 50, 120};
      for (int c = 0; c < 3; ++c)
        pixel[c] = static_cast<uint8_t>(light[c] + std::sqrt(share) * (dark[c] - light[c]));
    }
  }
  return out;
}

// A layer's strip of one of its histograms, with what it shows; nothing where there is none.
std::string strip(const std::vector<Look>& looks, size_t layer, const char* what,
                  Histogram LayerLook::*member) {
  std::vector<const Histogram*> histograms;
  int64_t count = 0;
  for (const Look& look : looks) {
    histograms.push_back(&(look.layers[layer].*member));
    count += histograms.back()->count;
  }
  if (count == 0) return {};
  const Strip s = strip_of(histograms);
  const std::string range =
      s.picture.height > 1 ? str_cat("2^", s.least, " to 2^", s.most) : "all 0";
  return "<figure><img alt=\"" + str_cat(what, ", ", range) + "\" src=\"data:image/png;base64," +
         io::base64(io::encode_png(s.picture)) + "\"><figcaption>" + what + "<small>" + range +
         "</small></figcaption></figure>";
}

std::string spread(const Histogram& h) {
  if (h.count == 0) return "";
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "%.3g ± %.3g", h.mean, h.deviation);
  return numbers + (h.not_finite > 0 ? str_cat(", ", h.not_finite, " not finite") : std::string());
}

Report::Table table_of(const Look& look) {
  Report::Table table{
      .title = str_cat("Its layers after ", look.step, " steps"),
      .explanation =
          "Mean and standard deviation. A ReLU's channel is dead where it gave 0 everywhere in all "
          "pictures looked at: no gradient passes it. Many dead ones mean a rate that is too high, "
          "or weights that started badly.",
      .columns = {{"layer"}, {"type"}, {"weights"}, {"gradients"}, {"output"}, {"dead", true}},
      .rows = {}};
  for (const LayerLook& l : look.layers) {
    if (l.dead > 0) table.emphasis.push_back({table.rows.size(), 5});
    table.rows.push_back({l.name, l.type, spread(l.weights), spread(l.gradients), spread(l.output),
                          l.channels > 0 ? str_cat(l.dead, " of ", l.channels) : ""});
  }
  return table;
}

Report::LineChart gradient_chart(const std::vector<Look>& looks) {
  Report::LineChart chart{.title = "Gradients",
                          .explanation =
                              "log10 of the standard deviation of the weights' gradients, for six "
                              "layers from the first to the last. Lines that fall apart mean "
                              "gradients that vanish, or explode, on their way back.",
                          .x_label = "step",
                          .y_label = "log10 of their spread",
                          .series = {}};
  std::vector<size_t> with;
  for (size_t i = 0; i < looks[0].layers.size(); ++i)
    if (looks[0].layers[i].gradients.count > 0) with.push_back(i);
  const size_t lines = std::min<size_t>(6, with.size());
  for (size_t k = 0; k < lines; ++k) {
    const size_t i = with[lines > 1 ? k * (with.size() - 1) / (lines - 1) : 0];
    Report::Series series{.name = looks[0].layers[i].name, .points = {}};
    for (const Look& look : looks)
      series.points.push_back(
          {static_cast<double>(look.step), std::log10(look.layers[i].gradients.deviation)});
    chart.series.push_back(std::move(series));
  }
  return chart;
}

// A line, or a sentence where there was none.
Report::Section dead_chart(const std::vector<Look>& looks) {
  Report::LineChart chart{
      .title = "Dead ReLUs",
      .explanation = "Channels that gave 0 everywhere, of all that end in a ReLU.",
      .x_label = "step",
      .y_label = "share of the channels",
      .series = {{.name = "all layers", .points = {}}}};
  int64_t ever = 0;
  for (const Look& look : looks) {
    int64_t channels = 0, dead = 0;
    for (const LayerLook& l : look.layers) channels += l.channels, dead += l.dead;
    ever += dead;
    chart.series[0].points.push_back(
        {static_cast<double>(look.step),
         static_cast<double>(dead) / static_cast<double>(std::max<int64_t>(1, channels))});
  }
  if (ever == 0) return Report::Paragraphs{{"No ReLU was dead in any of the looks into it."}};
  return chart;
}

}  // namespace

std::vector<Report::Section> look_sections(const std::vector<Look>& looks) {
  if (looks.empty()) return {};
  std::vector<Report::Section> out;
  out.emplace_back(dead_chart(looks));
  out.emplace_back(gradient_chart(looks));
  out.emplace_back(table_of(looks.back()));
  std::string strips =
      "<style>.looks figure{display:inline-block;margin:0 .6rem .6rem 0}"
      ".looks img{width:9rem;height:5rem;image-rendering:pixelated;object-fit:fill;display:block}"
      ".looks small{display:block}.looks h4{margin:.8rem 0 .3rem;overflow-wrap:anywhere}</style>"
      "<div class=\"looks\">";
  for (size_t i = 0; i < looks[0].layers.size(); ++i)
    strips += "<h4>" + escape_html(looks[0].layers[i].name) + "</h4>" +
              strip(looks, i, "weights", &LayerLook::weights) +
              strip(looks, i, "gradients", &LayerLook::gradients) +
              strip(looks, i, "output", &LayerLook::output) + "\n";
  out.emplace_back(Report::Figure{
      .title = "Histograms, layer by layer",
      .explanation = str_cat(
          "A column a look, from step ", looks.front().step, " to ", looks.back().step,
          "; a row for each power of two, large positive values at the top, 0 in the middle, "
          "negative ones below; dark is many."),
      .svg = strips + "</div>\n",
      .text = ""});
  return out;
}

}  // namespace limbic::report
