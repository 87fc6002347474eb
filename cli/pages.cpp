#include "limbic/cli/pages.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <ostream>

#include "limbic/cli/console.h"
#include "limbic/cli/output.h"
#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/decode.h"
#include "limbic/io/png.h"
#include "limbic/io/resize.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::cli {
namespace {

// A PNG of at most 160 pixels a side; nothing where the picture cannot be read any more.
std::vector<uint8_t> thumbnail(const std::string& path) {
  try {
    return io::encode_png(io::shrunk(io::decode_file(path), 160));
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

Page::Page(const std::string& path, const std::string& title) : path_(path), title_(title) {
  require_writable(path);
}

void Page::add(const std::string& name, const network::Evaluation& e,
               const std::vector<std::string>& classes) {
  if (e.samples == 0) return;
  add({name, e.accuracy, e.samples});
  constexpr size_t most_classes = 40;
  if (classes.size() <= most_classes) confusions_.push_back({name, "", classes, e.confusion});
}

report::Report::Gallery worst_pictures(const io::Dataset& data, const std::vector<int64_t>& indices,
                                       const std::vector<int64_t>& predicted,
                                       const std::vector<double>& probability) {
  report::Report::Gallery out;
  constexpr size_t shown = 24;
  const auto sample = [&](size_t i) -> const io::Sample& {
    return data.samples[static_cast<size_t>(indices[i])];
  };
  std::vector<size_t> order(indices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const bool wrong_a = predicted[a] != sample(a).label, wrong_b = predicted[b] != sample(b).label;
    if (wrong_a != wrong_b) return wrong_a;
    return wrong_a ? probability[a] > probability[b] : probability[a] < probability[b];
  });
  const bool any_wrong = !order.empty() && predicted[order[0]] != sample(order[0]).label;
  out.explanation =
      any_wrong
          ? "The pictures that it was surest of and wrong about come first: look there for "
            "wrong labels. Under each stands what was answered, how sure it was, and its label."
          : "None was wrong; these are the ones that it was least sure of.";
  for (size_t i : order) {
    if (out.samples.size() == shown) break;
    if (any_wrong && predicted[i] == sample(i).label) break;
    std::vector<uint8_t> png = thumbnail(sample(i).path);
    if (png.empty()) continue;
    out.samples.push_back({std::move(png), std::filesystem::path(sample(i).path).filename(),
                           data.classes[static_cast<size_t>(sample(i).label)],
                           data.classes[static_cast<size_t>(predicted[i])], probability[i]});
  }
  return out;
}

void Page::add_worst(const io::Dataset& data, const std::vector<int64_t>& indices,
                     const std::vector<int64_t>& predicted,
                     const std::vector<double>& probability) {
  if (wanted()) worst_ = worst_pictures(data, indices, predicted, probability);
}

void add_network(Page& page, const io::Dataset& data, const network::Outputs& logits) {
  page.add("on pictures kept aside", network::evaluate_logits(logits.values, logits.labels),
           data.classes);
  Tensor p = logits.values.clone();
  softmax_rows(p.values(), p.dim(1), p.values());
  std::vector<int64_t> predicted;
  std::vector<double> probability;
  for (int64_t i = 0; i < p.dim(0); ++i) {
    predicted.push_back(network::argmax(p.rows(i, i + 1).values()));
    probability.push_back(double{p.data()[i * p.dim(1) + predicted.back()]});
  }
  page.add_worst(data, logits.indices, predicted, probability);
}

void Page::write(bool going_on) {
  if (!wanted()) return;
  report::Report page{.reload_seconds = going_on ? 10 : 0,
                      .title = title_,
                      .subtitle = command_line(),
                      .sections = {notes_, headline_, worst_}};
  for (const auto& matrix : confusions_) page.add(matrix);
  for (const auto& chart : charts_) page.add(chart);
  for (const auto& section : details_) page.add(section);
  const std::string html = report::render_html(page);
  write_atomically(path_, [&](std::ostream& out) { out << html; });
}

}  // namespace limbic::cli
