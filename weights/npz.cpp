#include "limbic/weights/npz.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "limbic/weights/budget.h"
#include "limbic/weights/header.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

constexpr std::string_view magic = "\x93NUMPY", ending = ".npy";
constexpr size_t most_dimensions = 32;  // NumPy's own limit

constexpr std::pair<std::string_view, DType> dtypes[] = {
    {"<f8", DType::f64}, {"<f4", DType::f32}, {"<f2", DType::f16},
    {"<i8", DType::i64}, {"<i4", DType::i32}, {"<i2", DType::i16},
    {"|i1", DType::i8},  {"|u1", DType::u8},  {"|b1", DType::boolean}};

// The header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", a Python literal.
class Header {
 public:
  Header(std::string_view text, const std::string& path) : left_(text), path_(path) {
    expect("{");
    for (int keys = 0; !take("}"); ++keys) {
      require(keys < 3, path_, ": its header has more than three entries");
      read_entry();
    }
    skip();
    require(left_.empty() && !descr_.empty() && !order_.empty() && shape_given_, path_,
            ": its header lacks the type, the order or the shape, or has more behind them");
  }

  DType dtype() const {
    for (const auto& [name, dtype] : dtypes)
      if (descr_ == name) return dtype;
    if (descr_ == "|O")
      fail(path_, ": holds pickled Python objects; save the arrays by name with numpy.savez");
    fail(path_, ": is of type ", in_quotes(descr_),
         ", expected little-endian F16, F32, F64, integers or booleans");
  }
  const Shape& shape() const {
    require(order_ == "False" || shape_.size() < 2, path_,
            ": is in Fortran's order; save numpy.ascontiguousarray of it");
    return shape_;
  }

 private:
  void skip() { left_.remove_prefix(std::min(left_.find_first_not_of(" \n"), left_.size())); }
  bool take(std::string_view sign) {
    skip();
    if (!left_.starts_with(sign)) return false;
    left_.remove_prefix(sign.size());
    return true;
  }
  void expect(std::string_view sign) {
    require(take(sign), path_, ": expected ", in_quotes(sign), " in its header");
  }
  std::string_view quoted() {
    expect("'");
    const size_t end = left_.find('\'');
    require(end != left_.npos, path_, ": its header ends within a name");
    const std::string_view out = left_.substr(0, end);
    left_.remove_prefix(end + 1);
    return out;
  }
  void read_entry() {
    const std::string_view key = quoted();
    expect(":");
    if (key == "descr") {
      skip();
      if (left_.starts_with("[")) fail(path_, ": is a structured array, expected plain numbers");
      descr_ = quoted();
    } else if (key == "fortran_order") {
      order_ = take("True") ? "True" : "False";
      if (order_ == "False") expect("False");
    } else {
      require(key == "shape" && !shape_given_, path_, ": its header has an entry ", in_quotes(key));
      read_shape();
    }
    if (!left_.starts_with("}")) expect(",");
  }
  void read_shape() {
    shape_given_ = true;
    expect("(");
    while (!take(")")) {
      require(shape_.size() < most_dimensions, path_, ": has more than ", most_dimensions,
              " dimensions");
      skip();
      int64_t size = -1;
      const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), size);
      require(error == std::errc() && size >= 0, path_, ": its header's shape is damaged");
      left_.remove_prefix(static_cast<size_t>(end - left_.data()));
      take("L");  // as Python 2 writes a long
      shape_.push_back(size);
      skip();
      if (!left_.starts_with(")")) expect(",");
    }
  }

  std::string_view left_;
  const std::string& path_;
  std::string_view descr_, order_;
  Shape shape_;
  bool shape_given_ = false;
};

int64_t elements(const Shape& shape, const std::string& path) {
  try {
    return count(shape);
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

Tensor parse_array(const MappedFile& file, Budget& budget) {
  const std::string_view bytes = text_of(file);
  require(bytes.size() >= 12 && bytes.starts_with(magic), file.path, ": is no array of NumPy's");
  const int version = bytes[6];
  require(version >= 1 && version <= 3, file.path, ": an array of version ", version,
          ", expected 1 to 3");
  uint32_t length = 0;
  const size_t width = version == 1 ? 2 : 4;
  std::memcpy(&length, bytes.data() + 8, width);
  const size_t begin = 8 + width;
  require(length <= bytes.size() - begin, file.path, ": its header of ", length,
          " bytes does not fit into ", bytes.size(), "; the file is cut or damaged");
  const Header header(bytes.substr(begin, length), file.path);
  const DType dtype = header.dtype();
  const Shape& shape = header.shape();
  const uint64_t has = bytes.size() - begin - length;
  const auto element = static_cast<uint64_t>(size_of(dtype));
  const auto n = static_cast<uint64_t>(elements(shape, file.path));
  require(has % element == 0 && n == has / element, file.path, ": its shape ", to_string(shape),
          " does not fit the ", has, " bytes of its numbers; the file is cut or damaged");
  uint8_t* data = file.bytes.data() + begin + length;
  if (reinterpret_cast<uintptr_t>(data) % element == 0)
    return Tensor::view(data, shape, dtype, file.owner);
  budget.take(has, "an array");
  Tensor copy = Tensor::uninitialised(shape, dtype);
  if (has > 0) std::memcpy(copy.raw(), data, has);
  return copy;
}

// "conv1_w" -> "conv1.weight".
std::string network_name(std::string name, const std::map<std::string, Tensor>& all) {
  constexpr std::pair<std::string_view, std::string_view> suffixes[] = {
      {"_w", ".weight"},      {"_W", ".weight"},       {"_b", ".bias"},
      {"_weight", ".weight"}, {"_weights", ".weight"}, {"_bias", ".bias"},
      {"_biases", ".bias"},   {"_0", ".weight"},       {"_1", ".bias"}};
  std::ranges::replace(name, '/', '.');
  for (const auto& [theirs, ours] : suffixes) {
    if (!name.ends_with(theirs)) continue;
    const std::string layer = name.substr(0, name.size() - theirs.size());
    if (theirs != "_1" || all.contains(layer + "_0")) return layer + std::string(ours);
  }
  return name;
}

// Caffe's blobs had four dimensions once.
Tensor without_ones(const std::string& name, const Tensor& t) {
  const Shape& s = t.shape();
  if (s.size() != 4 || s[0] != 1 || s[1] != 1) return t;
  if (name.ends_with(".bias") && s[2] == 1) return t.reshape({s[3]});
  return name.ends_with(".weight") && name.starts_with("fc") ? t.reshape({s[2], s[3]}) : t;
}

}  // namespace

bool is_npz(const MappedFile& file) {
  const std::string_view bytes = text_of(file);
  if (bytes.starts_with(magic)) return true;
  if (!is_zip(bytes)) return false;
  const ZipArchive archive(file);
  return std::ranges::any_of(archive.members(),
                             [](const ZipMember& m) { return m.name.ends_with(ending); });
}

std::map<std::string, Tensor> parse_npz(const MappedFile& file, bool verify) {
  Budget budget(file.bytes.size(), file.path);
  std::map<std::string, Tensor> arrays, out;
  if (text_of(file).starts_with(magic)) {
    arrays.emplace(std::filesystem::path(file.path).stem().string(), parse_array(file, budget));
  } else {
    const ZipArchive archive(file);
    for (const ZipMember& member : archive.members()) {
      if (!member.name.ends_with(ending)) continue;
      const MappedFile read = archive.read(member, budget.left(), verify);
      if (member.method != 0) budget.take(member.size, "an array");
      const size_t length = member.name.size() - ending.size();
      arrays.emplace(member.name.substr(0, length), parse_array(read, budget));
    }
  }
  for (const auto& [theirs, tensor] : arrays) {
    const std::string name = network_name(theirs, arrays);
    require(out.emplace(name, without_ones(name, tensor)).second, file.path, ": two arrays are ",
            in_quotes(name), ", one of them ", in_quotes(theirs));
  }
  return out;
}

Checkpoint open_npz(const MappedFile& file, const ReadOptions& options) {
  return {parse_npz(file, options.verify), {}, {}, file};
}

}  // namespace limbic::weights
