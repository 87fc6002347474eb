#include "limbic/weights/header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

#include "limbic/weights/budget.h"

namespace limbic::weights {
namespace {

constexpr DType all_dtypes[] = {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64,
                                DType::i32, DType::i16, DType::i8,  DType::u8,   DType::boolean};
constexpr size_t max_rank = 64;

// Receives the parser's events and accepts one grammar only:
//   { NAME: {"dtype": STRING, "shape": [UINT...], "data_offsets": [UINT, UINT]}...,
//     "__metadata__": {STRING: STRING...} }
class HeaderReader {
 public:
  using json = nlohmann::json;
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  HeaderReader(const std::string& file, Budget& budget) : file_(file), budget_(budget) {}

  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("a boolean"); }
  bool number_integer(number_integer_t value) { unexpected(str_cat("the number ", value)); }
  bool number_float(number_float_t, const string_t& text) { unexpected("the number " + text); }
  bool binary(binary_t&) { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) {
    if (place_ != Place::list) unexpected(str_cat("the number ", value));
    if (list_.size() == max_rank) unexpected(str_cat("more than ", max_rank, " numbers"));
    list_.push_back(value);
    return true;
  }

  bool string(string_t& value) {
    if (place_ == Place::metadata) {
      budget_.take(node_cost + key_.size() + value.size(), "its metadata");
      header.metadata[key_] = value;
    } else if (place_ == Place::entry && key_ == "dtype") {
      for (DType dtype : all_dtypes)
        if (to_string(dtype) == value) dtype_ = dtype;
      if (!dtype_) refuse("unknown dtype ", in_quotes(value), "; convert it to F32");
    } else {
      unexpected("the string " + in_quotes(value));
    }
    return true;
  }

  bool start_object(std::size_t) {
    switch (place_) {
      case Place::start:
        place_ = Place::top;
        return true;
      case Place::top:
        place_ = name_ == "__metadata__" ? Place::metadata : Place::entry;
        seen_.clear();
        dtype_.reset(), shape_.reset(), offsets_.reset();
        return true;
      default:
        unexpected("an object");
    }
  }

  bool key(string_t& key) {
    if (place_ == Place::top) {
      // The name here, in its entry and in the map of tensors; the entry is in a growing vector.
      budget_.take(3 * (node_cost + key.size()) + 2 * sizeof(TensorEntry), "its list of tensors");
      require(names_.insert(key).second, file_, ": tensor ", in_quotes(key), " is there twice");
      name_ = key;
    } else {
      if (!seen_.insert(key).second) refuse(in_quotes(key), " is there twice");
      if (place_ == Place::entry && key != "dtype" && key != "shape" && key != "data_offsets")
        refuse("expected dtype, shape and data_offsets, got ", in_quotes(key));
    }
    key_ = key;
    return true;
  }

  bool end_object() {
    if (place_ == Place::entry) finish_entry();
    place_ = place_ == Place::top ? Place::start : Place::top;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ != Place::entry || key_ == "dtype") unexpected("an array");
    place_ = Place::list;
    list_.clear();
    return true;
  }

  bool end_array() {
    place_ = Place::entry;
    (key_ == "shape" ? shape_ : offsets_) = list_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) {
    fail(file_, ": the header is not JSON (byte ", position,
         " of it); the file is damaged or not safetensors");
  }

  SafetensorsHeader header;

 private:
  enum class Place { start, top, entry, metadata, list };

  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    fail(file_, ": tensor ", in_quotes(name_), ": ", args...);
  }

  [[noreturn]] void unexpected(const std::string& what) const {
    if (place_ == Place::start) fail(file_, ": expected a JSON object as header, got ", what);
    if (place_ == Place::top) refuse("expected an object, got ", what);
    refuse("unexpected ", what, " for ", in_quotes(key_));
  }

  void finish_entry() {
    if (!dtype_ || !shape_ || !offsets_) refuse("expected dtype, shape and data_offsets");
    if (offsets_->size() != 2) refuse("expected two data_offsets, got ", offsets_->size());
    TensorEntry entry{name_, *dtype_, {}, (*offsets_)[0], (*offsets_)[1]};
    for (uint64_t d : *shape_) {
      if (d > static_cast<uint64_t>(INT64_MAX)) refuse("dimension ", d, " is too large");
      entry.shape.push_back(static_cast<int64_t>(d));
    }
    budget_.take(3 * sizeof(int64_t) * entry.shape.size(), "its shapes");
    header.entries.push_back(std::move(entry));
  }

  // Of a node in a map or a set, beside what it holds.
  static constexpr uint64_t node_cost = 64;

  const std::string& file_;
  Budget& budget_;
  Place place_ = Place::start;
  std::string name_, key_;
  std::set<std::string> names_, seen_;
  std::vector<uint64_t> list_;
  std::optional<DType> dtype_;
  std::optional<std::vector<uint64_t>> shape_, offsets_;
};

// The bytes that dtype and shape ask for; nothing on overflow. A zero anywhere makes it zero.
std::optional<uint64_t> bytes_of(const TensorEntry& entry) {
  uint64_t bytes = static_cast<uint64_t>(size_of(entry.dtype));
  if (std::count(entry.shape.begin(), entry.shape.end(), 0)) bytes = 0;
  for (int64_t d : entry.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(d), &bytes)) return std::nullopt;
  return bytes;
}

void check_entry(const TensorEntry& entry, uint64_t buffer_size, const std::string& file) {
  const std::string where = file + ": tensor " + in_quotes(entry.name) + ": ";
  require(entry.begin <= entry.end && entry.end <= buffer_size, where, "data_offsets [",
          entry.begin, ",", entry.end, ") lie outside the ", buffer_size,
          " bytes of data; the file is cut or damaged, fetch it again");
  const auto bytes = bytes_of(entry);
  require(bytes && *bytes == entry.end - entry.begin, where, to_string(entry.dtype), " ",
          to_string(entry.shape), " needs ", bytes ? std::to_string(*bytes) : "over 2^64",
          " bytes, data_offsets give ", entry.end - entry.begin);
  try {
    count(entry.shape);  // refuses (2^40, 2^40, 0), whose product passes through an overflow
  } catch (const Error& error) {
    fail(where, error.what());
  }
}

}  // namespace

std::string in_quotes(std::string_view name) {
  std::string out = "'";
  for (char c : name.substr(0, 100))
    out += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return out + (name.size() > 100 ? "...'" : "'");
}

SafetensorsHeader parse_header(std::string_view json, uint64_t buffer_size,
                               const std::string& file) {
  Budget budget(8 + json.size() + buffer_size, file);
  HeaderReader reader(file, budget);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  auto& entries = reader.header.entries;
  for (const TensorEntry& entry : entries) check_entry(entry, buffer_size, file);
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t at = 0;
  for (const TensorEntry& entry : entries) {
    require(entry.begin == at, file, ": tensor ", in_quotes(entry.name),
            ": expected data from byte ", at, ", got ", entry.begin,
            entry.begin > at ? " (a hole)" : " (an overlap)");
    at = entry.end;
  }
  require(at == buffer_size, file, ": the tensors take ", at, " bytes, the file holds ",
          buffer_size, "; it is damaged, fetch it again");
  return std::move(reader.header);
}

}  // namespace limbic::weights
