#include "limbic/walk/page.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/core/processor.h"
#include "limbic/io/png.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/report/text.h"
#include "limbic/walk/choice.h"
#include "limbic/walk/embedded.h"
#include "limbic/walk/packer.h"

namespace limbic::walk {
namespace {

using Json = nlohmann::ordered_json;

// Rows of a weight's gradient that are held where all numbers are: one for each output channel.
constexpr int64_t most_gradient_rows = 8;

Json pair(const Size2& s) { return {s.h, s.w}; }
Json sides(const Padding& p) { return {p.top, p.left, p.bottom, p.right}; }

Json options_of(const Op& op, const Shape& src) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(&op)) {
    const Conv2dOptions& o = conv->options();
    return {{"kernel", pair(o.kernel_size)},
            {"stride", pair(o.stride)},
            {"padding", sides(conv->padding(src))},
            {"dilation", pair(o.dilation)},
            {"groups", o.groups}};
  }
  if (const auto* pool = dynamic_cast<const Pool2d*>(&op)) {
    const Pool2dOptions& o = pool->options();
    return {{"kernel", pair(o.kernel_size)}, {"stride", pair(o.stride)},
            {"padding", sides(o.padding)},   {"ceil", o.ceil_mode},
            {"counts", o.count_include_pad}, {"zero", o.zero_padding}};
  }
  if (const auto* pool = dynamic_cast<const AdaptiveAvgPool2d*>(&op))
    return {{"output", pair(pool->output())}};
  if (dynamic_cast<const GlobalAvgPool*>(&op)) return {{"output", {1, 1}}};
  if (const auto* norm = dynamic_cast<const BatchNorm*>(&op))
    return {{"epsilon", norm->options().epsilon}};
  if (const auto* slice = dynamic_cast<const StridedSlicePad*>(&op))
    return {{"stride", pair(slice->options().stride)},
            {"before", slice->options().channels_before}};
  if (const Activation a = op.as_activation()) {
    Json out = {{"activation", a.name()}, {"low", double{a.low}}, {"slope", double{a.slope}}};
    if (a.high < std::numeric_limits<float>::infinity()) out["high"] = double{a.high};
    return out;
  }
  return Json::object();
}

// Under which op sources() has its lines.
std::string source_key(const Op& op, const std::string& implementation) {
  if (op.as_activation()) return "activation";
  return implementation.find("winograd") == implementation.npos ? op.type() : "winograd";
}

// Rows of a parameter whose first dimension counts channels.
std::vector<float> rows_of(const Tensor& value, const std::vector<int64_t>& rows) {
  const int64_t width = value.size() / value.dim(0);
  std::vector<float> out;
  for (const int64_t r : rows)
    out.insert(out.end(), value.data() + r * width, value.data() + (r + 1) * width);
  return out;
}

float read(const Tensor& value, const Cell& cell) {
  if (value.rank() == 2) return value.data()[cell.c];
  return value.data()[(cell.c * value.dim(2) + cell.y) * value.dim(3) + cell.x];
}

class Writer {
 public:
  Writer(const Recording& r, const Selection& s) : r_(r), s_(s), choices_(choose(r, s)) {}

  Json layer(int n) {
    const auto i = static_cast<size_t>(n);
    const Node& node = r_.graph.node(n);
    const Layer& layer = r_.layers[i];
    Json out = {{"name", n == 0 ? "picture" : node.name},
                {"type", n == 0 ? "picture" : node.op->type()},
                {"shape", Shape(r_.shapes[i].begin() + 1, r_.shapes[i].end())},
                {"src", node.src}};
    Json labels = Json::array();
    for (const auto& [label, at] : r_.graph.labels())
      if (at == n && label != node.name) labels.push_back(label);
    out["labels"] = labels;
    if (n > 0) {
      out["options"] = options_of(*node.op, r_.shapes[static_cast<size_t>(node.src[0])]);
      out["source_key"] = source_key(*node.op, layer.implementation);
      out["implementation"] = layer.implementation;
      for (const auto& [key, seconds] : {std::pair{"forward", layer.forward},
                                         {"backward", layer.backward},
                                         {"roof", layer.roof}})
        if (std::isfinite(seconds)) out[key] = seconds;
      out["macs"] = layer.multiply_adds;
      out["bytes"] = layer.bytes;
      out["weight_bytes"] = layer.weight_bytes;
      add_parameters(out, n);
    }
    s_.whole ? add_whole(out, n) : add_selected(out, n);
    return out;
  }

  std::string numbers() const { return packer_.base64(); }

 private:
  const Layer& of(int n) const { return r_.layers[static_cast<size_t>(n)]; }

  // Whether max(0, src) or the sum of the sources is this value to the last bit: a page computes
  // it.
  bool is_derived(int n) const {
    const Node& node = r_.graph.node(n);
    if (n == 0) return false;
    const bool relu = node.op->as_activation().is_relu(),
               sum = std::string(node.op->type()) == "add";
    if (!relu && !sum) return false;
    const float* a = of(node.src[0]).value.data();
    const float* b = of(node.src.back()).value.data();
    for (int64_t k = 0; k < of(n).value.size(); ++k)
      if (of(n).value.data()[k] != (sum ? a[k] + b[k] : std::max(0.0f, a[k]))) return false;
    return true;
  }

  void add_whole(Json& out, int n) {
    if (!is_derived(n)) out["value"] = packer_.add(of(n).value.values());
    if (!of(n).gradient.empty()) out["gradient"] = packer_.add_rounded(of(n).gradient.values());
  }

  void add_parameters(Json& out, int n) {
    const Node& node = r_.graph.node(n);
    std::vector<int64_t> rows;
    if (s_.whole)
      for (int64_t c = 0; c < of(n).value.dim(1); ++c) rows.push_back(c);
    else
      rows = choices_[static_cast<size_t>(n)].channels;
    const auto specs = node.op->parameters();
    for (size_t p = 0; p < specs.size(); ++p) {
      const Tensor& value = r_.parameters.at(node.parameters[p]).value;
      if (value.dtype() == DType::f32 && value.rank() > 0 && value.dim(0) == of(n).value.dim(1))
        out["parameters"][specs[p].name] = packer_.add(rows_of(value, rows));
    }
    if (of(n).weight_gradient.rank() < 2) return;
    rows.resize(static_cast<size_t>(std::min(most_gradient_rows, std::ssize(rows))));
    out["weight_gradient"] = packer_.add(rows_of(of(n).weight_gradient, rows));
  }

  void add_selected(Json& out, int n) {
    const Choice& choice = choices_[static_cast<size_t>(n)];
    std::vector<float> values, gradients;
    for (const int64_t c : choice.channels)
      for (const Cell& p : choice.places) {
        values.push_back(read(of(n).value, {c, p.y, p.x}));
        if (!of(n).gradient.empty()) gradients.push_back(read(of(n).gradient, {c, p.y, p.x}));
      }
    out["channels"] = choice.channels;
    for (const Cell& p : choice.places) out["places"].push_back({p.y, p.x});
    out["values"] = packer_.add(values);
    if (!gradients.empty()) out["gradients"] = packer_.add(gradients);
    if (n > 0) add_windows(out, n, choice);
    std::vector<int64_t> shown;
    for (int64_t c = 0; c < std::min(s_.pictures, of(n).value.dim(1)); ++c) shown.push_back(c);
    for (const int64_t c : choice.channels)
      if (c >= std::ssize(shown)) shown.push_back(c);
    out["pictures"] = pictures(of(n).value, shown);
    if (!of(n).gradient.empty())
      out["gradient_pictures"] = pictures(of(n).gradient, choice.channels);
  }

  // What the chosen cells read: [channel][place][tap], without channels where these share taps.
  void add_windows(Json& out, int n, const Choice& choice) {
    const Node& node = r_.graph.node(n);
    std::vector<std::vector<float>> windows;
    size_t width = 0;
    for (const int64_t c : choice.channels) {
      for (const Cell& p : choice.places) {
        std::vector<float>& window = windows.emplace_back();
        for (const Tap& t : taps(r_.graph, r_.shapes, n, {c, p.y, p.x}))
          window.push_back(
              t.src < 0 ? 0.0f : read(of(node.src[static_cast<size_t>(t.src)]).value, t.cell));
        width = std::max(width, window.size());
      }
      if (shares_taps(*node.op)) break;
    }
    std::vector<float> all;
    for (std::vector<float>& window : windows) {
      window.resize(width);
      all.insert(all.end(), window.begin(), window.end());
    }
    out["windows"] = packer_.add(all);
    out["window_size"] = width;
    out["shared"] = shares_taps(*node.op);
  }

  // Maps reduced to `side` pixels at most by averaging, each from its smallest value to its largest
  // as 0 to 255.
  Json pictures(const Tensor& value, const std::vector<int64_t>& channels) {
    const int64_t h = value.rank() == 4 ? value.dim(2) : 1,
                  w = value.rank() == 4 ? value.dim(3) : 1;
    const int64_t by = (std::max(h, w) + s_.side - 1) / s_.side;
    const int64_t height = (h + by - 1) / by, width = (w + by - 1) / by;
    std::vector<float> low, high;
    std::vector<uint8_t> bytes;
    for (const int64_t c : channels) {
      std::vector<float> map;
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x) map.push_back(mean(value, c, {y * by, x * by, by}));
      const auto [least, most] = std::minmax_element(map.begin(), map.end());
      low.push_back(*least);
      high.push_back(*most);
      const double range = std::max(1e-30, double{*most} - double{*least});
      for (const float v : map)
        bytes.push_back(
            static_cast<uint8_t>(std::lround(255 * (double{v} - double{*least}) / range)));
    }
    return {{"channels", channels},
            {"height", height},
            {"width", width},
            {"low", packer_.add(low)},
            {"high", packer_.add(high)},
            {"bytes", packer_.add_bytes(bytes)}};
  }

  struct Square {
    int64_t y, x, side;
  };
  static float mean(const Tensor& value, int64_t c, const Square& s) {
    if (value.rank() == 2) return value.data()[c];
    double sum = 0, n = 0;
    for (int64_t y = s.y; y < std::min(s.y + s.side, value.dim(2)); ++y)
      for (int64_t x = s.x; x < std::min(s.x + s.side, value.dim(3)); ++x, ++n)
        sum += double{read(value, {c, y, x})};
    return static_cast<float>(sum / n);
  }

  const Recording& r_;
  const Selection& s_;
  std::vector<Choice> choices_;
  Packer packer_;
};

Json quoted_sources() {
  Json out = Json::object();
  for (const Source& s : sources())
    out[s.op][s.role].push_back(
        {{"file", s.file}, {"name", s.name}, {"line", s.line}, {"text", s.text}});
  return out;
}

Json facts(const Recording& r, const Subject& subject, const Selection& selection) {
  int64_t weight_bytes = 0;
  for (const Layer& layer : r.layers) weight_bytes += layer.weight_bytes;
  return {{"network", subject.network},
          {"about", subject.about},
          {"labels", subject.labels},
          {"explained", r.explained},
          {"start", subject.start},
          {"whole", selection.whole},
          {"selection", selection.text()},
          {"not_shown", not_shown(r)},
          {"logits", r.logits()},
          {"picture", "data:image/png;base64," + io::base64(io::encode_png(subject.picture))},
          {"processor", processor_name()},
          {"threads", r.machine.threads},
          {"flops", r.machine.flops},
          {"bandwidth", r.machine.bytes},
          {"seconds", r.seconds},
          {"arena_bytes", r.arena_bytes},
          {"weight_bytes", weight_bytes},
          {"sources", quoted_sources()}};
}

// As a script's content, which must not hold the script's end.
std::string json_text(const Json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace))
    c == '<' ? out += "\\u003c" : out += c;
  return out;
}

// The template with each {{word}} replaced.
std::string filled(const std::string& html, const std::map<std::string, std::string>& words) {
  std::string out;
  size_t at = 0;
  for (size_t open; (open = html.find("{{", at)) != html.npos;) {
    const size_t close = html.find("}}", open);
    out += html.substr(at, open - at) + words.at(html.substr(open + 2, close - open - 2));
    at = close + 2;
  }
  return out + html.substr(at);
}

std::string write(const Recording& r, const Subject& subject, const Selection& selection) {
  Writer writer(r, selection);
  Json page = facts(r, subject, selection);
  for (int n = 0; n < r.graph.size(); ++n) page["layers"].push_back(writer.layer(n));
  const Assets a = assets();
  return filled(a.html,
                {{"title", report::escape_html("A picture's walk through " + subject.network)},
                 {"style", a.css},
                 {"walk", json_text(page)},
                 {"numbers", writer.numbers()},
                 {"wasm", a.twins_wasm},
                 {"twins", a.twins_js},
                 {"script", a.page_js}});
}

// Below this many numbers it is worth a try to hold them all.
constexpr int64_t most_whole_numbers = 3'000'000;

int64_t numbers_in(const Recording& r) {
  int64_t n = 0;
  for (const Layer& layer : r.layers) n += layer.value.size() + layer.weight_bytes / 4;
  return n;
}

}  // namespace

std::string Selection::text() const {
  if (whole)
    return str_cat(
        "The page holds every number of every layer; gradients are rounded to 1/32767 of "
        "their layer's largest, and those of weights are there for the first ",
        most_gradient_rows, " output channels.");
  return str_cat("The page holds a selection: of each layer ", channels,
                 " channels (those that vary "
                 "most) at ",
                 places,
                 " places in an even grid, with all values that these read and "
                 "their weights; up to ",
                 pictures, " channels as pictures of at most ", side, " x ", side,
                 " averaged pixels.");
}

Page render(const Recording& r, const Subject& subject, size_t most) {
  size_t bytes = 0;
  for (const Selection& s :
       {Selection{}, Selection{.whole = false},
        Selection{.whole = false, .channels = 8, .places = 16, .pictures = 32},
        Selection{.whole = false, .channels = 4, .places = 4, .pictures = 16},
        Selection{.whole = false, .channels = 2, .places = 1, .pictures = 8, .side = 14}}) {
    if (s.whole && numbers_in(r) > most_whole_numbers) continue;
    Page page{write(r, subject, s), s};
    bytes = page.html.size();
    if (bytes <= most) return page;
  }
  fail("the page of ", subject.network, " would have ", bytes,
       " bytes with the smallest selection, "
       "more than ",
       most);
}

}  // namespace limbic::walk
