#include "limbic/explain/page.h"

#include <algorithm>

#include "limbic/explain/pictures.h"
#include "limbic/io/png.h"
#include "limbic/io/resize.h"
#include "limbic/report/text.h"

namespace limbic::explain {
namespace {

using report::Report;

constexpr int64_t shown_side = 224;  // so that a page of many stays small

std::string image(const io::Picture& picture, const std::string& alt) {
  return "<img alt=\"" + report::escape_html(alt) + "\" src=\"data:image/png;base64," +
         io::base64(io::encode_png(picture)) + "\">";
}

std::string figure(const io::Picture& picture, const std::string& caption,
                   const std::string& below) {
  return "<figure>" + image(picture, caption) + "<figcaption>" + report::escape_html(caption) +
         (below.empty() ? "" : "<small>" + report::escape_html(below) + "</small>") +
         "</figcaption></figure>\n";
}

std::string enlarged(const io::Picture& picture, const std::string& alt) {
  return "<div style=\"max-width:34rem\"><style>.sheet img{width:100%;display:block;"
         "image-rendering:pixelated}</style><div class=\"sheet\">" +
         image(picture, alt) + "</div></div>\n";
}

std::string short_title(Method method) {
  const std::string title = info(method).title;
  return title.substr(0, title.find(" ("));
}

}  // namespace

void add_neighbours(Report& page, const emotion::EmotionModel& model, const Decision& d) {
  Report::Table table{.title = "The nearest support vectors",
                      .explanation =
                          "Pictures of the training that the SVM remembers, by their distance in "
                          "the fused, scaled and weighted space.",
                      .columns = {{"number", true}, {"label"}, {"distance", true}}};
  std::string gallery;
  for (const Decision::Neighbour& n : d.neighbours) {
    const std::string& label = model.classes[static_cast<size_t>(n.label)];
    const std::string distance = report::number_text(n.distance, 3);
    table.rows.push_back({std::to_string(n.index), label, distance});
    if (model.thumbnails.empty()) continue;
    gallery += figure(model.thumbnail(n.support_vector), label,
                      str_cat("number ", n.index, ", at ", distance));
  }
  page.add(std::move(table));
  if (gallery.empty()) return;
  page.add(Report::Figure{.title = "Their photos",
                          .explanation = "Kept by limbic fit --keep-thumbnails.",
                          .svg = "<div class=\"gallery\">\n" + gallery + "</div>\n",
                          .text = ""});
}

void add_sections(Report& page, const Explained& e, const std::string& class_name) {
  const io::Picture shown = io::shrunk(e.picture, shown_side);
  std::string gallery = "<div class=\"gallery\">\n" + figure(shown, "the picture", "as it is seen");
  Report::Table table{.title = e.name + ": how far the maps can be believed",
                      .explanation =
                          "Deletion: the class's mean probability while its pixels go, the most "
                          "important first (lower is better). Insertion: while they come, out of a "
                          "blurred picture (higher is better). Random maps are what any map must "
                          "beat.",
                      .columns = {{"method"}, {"map of"}, {"deletion", true}, {"insertion", true}}};
  const auto row = [&](const std::string& name, const std::string& of, const Faithfulness& f) {
    table.rows.push_back(
        {name, of, report::number_text(f.deletion, 3), report::number_text(f.insertion, 3)});
  };
  Report::LineChart deletion{.title = e.name + ": deletion",
                             .explanation = "",
                             .x_label = "share of the pixels that are gone",
                             .y_label = "probability of " + class_name,
                             .series = {}};
  Report::LineChart insertion = deletion;
  insertion.title = e.name + ": insertion";
  insertion.x_label = "share of the pixels that are there";
  const auto draw = [](Report::LineChart& chart, const std::string& name,
                       const std::vector<double>& curve) {
    Report::Series series{.name = name, .points = {}};
    for (size_t i = 0; i < curve.size(); ++i)
      series.points.push_back(
          {static_cast<double>(i) / static_cast<double>(curve.size() - 1), curve[i]});
    chart.series.push_back(std::move(series));
  };
  std::string words;
  for (size_t i = 0; i < e.maps.size(); ++i) {
    const auto& [method, map] = e.maps[i];
    const Faithfulness& f = e.faithfulness[i];
    const std::string size = str_cat(map.height, " x ", map.width);
    gallery += figure(overlaid(shown, map), short_title(method),
                      (info(method).of_layer ? e.layer : "picture") + ", " + size);
    row(info(method).title, (info(method).of_layer ? e.layer : "picture") + ", " + size, f);
    draw(deletion, short_title(method), f.deletion_curve);
    draw(insertion, short_title(method), f.insertion_curve);
    words += (words.empty() ? "" : " ") + short_title(method) + ": " + info(method).says;
  }
  row("random maps", "", e.random);
  draw(deletion, "random", e.random.deletion_curve);
  draw(insertion, "random", e.random.insertion_curve);
  page.add(Report::Figure{
      .title = e.name + ": what spoke for " + class_name,
      .explanation = "From blue, nothing, to red, most, each map in its own range. " + words +
                     (e.through.empty() ? "" : " " + e.through),
      .svg = gallery + "</div>\n",
      .text = words});
  page.add(std::move(table));
  page.add(std::move(deletion));
  page.add(std::move(insertion));
  if (!e.features.empty())
    page.add(Report::Figure{
        .title = e.name + ": feature maps of " + e.layer,
        .explanation = str_cat("Up to 64 of ", e.features.dim(1),
                               ", those that vary most first, each in its own range."),
        .svg = enlarged(tiles_of_features(e.features), "feature maps")});
  for (const auto& [name, weight] : e.filters)
    page.add(Report::Figure{
        .title = e.name + ": filters of " + name,
        .explanation =
            str_cat("Up to 64 of ", weight.dim(0), ", weights of shape ", to_string(weight.shape()),
                    "; grey is 0. Filters of three inputs in colour, larger ones as the "
                    "mean over their inputs, 1 x 1 filters a row each."),
        .svg = enlarged(tiles_of_filters(weight), "filters")});
}

}  // namespace limbic::explain
