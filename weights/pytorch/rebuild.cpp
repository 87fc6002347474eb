#include "limbic/weights/pytorch/rebuild.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

using Kind = PickleValue::Kind;
using Values = std::span<const PickleValue>;

struct TypeName {
  const char *storage, *dtype;
  DType type;
};
constexpr TypeName type_names[] = {
    {"DoubleStorage", "float64", DType::f64}, {"FloatStorage", "float32", DType::f32},
    {"HalfStorage", "float16", DType::f16},   {"BFloat16Storage", "bfloat16", DType::bf16},
    {"LongStorage", "int64", DType::i64},     {"IntStorage", "int32", DType::i32},
    {"ShortStorage", "int16", DType::i16},    {"CharStorage", "int8", DType::i8},
    {"ByteStorage", "uint8", DType::u8},      {"BoolStorage", "bool", DType::boolean},
    {"UntypedStorage", "uint8", DType::u8},   {"_UntypedStorage", "uint8", DType::u8}};
constexpr size_t max_rank = 64, max_key = 200;

bool is_torch(const Pickle& pickle, PickleValue value, const char* name) {
  for (const char* module : {"torch", "torch.storage", "torch.cuda"})
    if (pickle.is_global(value, module, name)) return true;
  return false;
}

DType dtype_named(const Pickle& pickle, PickleValue value, const std::string& where) {
  for (const TypeName& type : type_names)
    if (is_torch(pickle, value, type.storage) || is_torch(pickle, value, type.dtype))
      return type.type;
  fail(where, "has elements of type ", pickle.name_of(value), "; convert it to float32 in PyTorch");
}

// A non-negative integer, or nothing.
std::optional<uint64_t> natural(PickleValue value) {
  if (value.kind != Kind::integer || value.integer < 0) return std::nullopt;
  return static_cast<uint64_t>(value.integer);
}

// A tensor as its arguments describe it, in elements.
struct Layout {
  uint64_t offset = 0;
  Shape shape, strides;

  bool dense() const {
    if (count(shape) == 0) return true;
    int64_t expected = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] > 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }
};

// (2,3) or torch.Size((2,3)).
Shape read_shape(const Pickle& pickle, PickleValue value, const std::string& where) {
  if (value.kind == Kind::object && pickle.is_global(pickle.items(value)[0], "torch", "Size")) {
    const Values arguments = pickle.items(pickle.items(value)[1]);
    if (!arguments.empty()) value = arguments[0];
  }
  const Values items = pickle.items(value);
  require((value.kind == Kind::tuple || value.kind == Kind::list) && items.size() <= max_rank,
          where, "expected a tuple of at most ", max_rank, " sizes or strides");
  Shape out;
  for (PickleValue item : items) {
    const auto number = natural(item);
    require(number.has_value(), where, "expected sizes and strides of 0 and more");
    out.push_back(static_cast<int64_t>(*number));
  }
  return out;
}

Layout read_layout(const Pickle& pickle, Values arguments, const std::string& where) {
  const auto offset = natural(arguments[1]);
  require(offset.has_value(), where, "expected an offset of 0 or more");
  Layout out{*offset, read_shape(pickle, arguments[2], where),
             read_shape(pickle, arguments[3], where)};
  require(out.shape.size() == out.strides.size(), where, out.shape.size(), " sizes, but ",
          out.strides.size(), " strides");
  try {
    count(out.shape);
  } catch (const Error& error) {
    fail(where, error.what());
  }
  return out;
}

// Throws unless every element lies within a storage of `elements`.
void check_bounds(const Layout& layout, uint64_t elements, const std::string& where) {
  const auto size = static_cast<uint64_t>(count(layout.shape));
  if (size == 0) return;  // torch keeps the offset that an empty slice was taken at
  uint64_t end = layout.offset;
  bool overflow = __builtin_add_overflow(end, 1, &end);
  for (size_t i = 0; i < layout.shape.size(); ++i) {
    uint64_t reach = 0;
    overflow |= __builtin_mul_overflow(static_cast<uint64_t>(layout.shape[i] - 1),
                                       static_cast<uint64_t>(layout.strides[i]), &reach);
    overflow |= __builtin_add_overflow(end, reach, &end);
  }
  if (overflow || end > elements)
    fail(where, to_string(layout.shape), " with strides ", to_string(layout.strides),
         " from element ", layout.offset, " lies outside of its ", elements,
         " elements; the file is damaged, fetch it again");
}

// Elements in the order of the shape, wherever they lie. The rank is not 0: that would be dense.
template <class T>
void gather(const uint8_t* storage, const Layout& layout, Tensor& out) {
  const auto* src = reinterpret_cast<const T*>(storage);
  auto* dst = static_cast<T*>(out.raw());
  const size_t last = layout.shape.size() - 1;
  const int64_t columns = layout.shape[last], step = columns > 1 ? layout.strides[last] : 0;
  auto row = static_cast<int64_t>(layout.offset);
  Shape at(last + 1, 0);
  for (int64_t done = 0; done < out.size(); done += columns) {
    for (int64_t i = 0; i < columns; ++i) dst[done + i] = src[row + i * step];
    for (size_t d = last; d-- > 0;) {
      if (layout.shape[d] == 1) continue;  // its stride may be any number
      row += layout.strides[d];
      if (++at[d] < layout.shape[d]) break;
      row -= layout.strides[d] * layout.shape[d];
      at[d] = 0;
    }
  }
}

Tensor gather(const uint8_t* storage, const Layout& layout, DType dtype) {
  Tensor out = Tensor::uninitialised(layout.shape, dtype);
  switch (size_of(dtype)) {
    case 1:
      gather<uint8_t>(storage, layout, out);
      break;
    case 2:
      gather<uint16_t>(storage, layout, out);
      break;
    case 4:
      gather<uint32_t>(storage, layout, out);
      break;
    default:
      gather<uint64_t>(storage, layout, out);
  }
  return out;
}

// A function of torch._utils and what it is called with.
struct Call {
  PickleValue callable, arguments;
};

bool is_rebuild(const Pickle& pickle, PickleValue value, std::string_view name) {
  return pickle.is_global(value, "torch._utils", name);
}

bool is_rebuild_tensor(const Pickle& pickle, PickleValue value) {
  return is_rebuild(pickle, value, "_rebuild_tensor") ||
         is_rebuild(pickle, value, "_rebuild_tensor_v2") ||
         is_rebuild(pickle, value, "_rebuild_tensor_v3");
}

bool is_parameter(const Pickle& pickle, PickleValue value) {
  return is_rebuild(pickle, value, "_rebuild_parameter") ||
         is_rebuild(pickle, value, "_rebuild_parameter_with_state");
}

bool is_from_type(const Pickle& pickle, PickleValue value) {
  return pickle.is_global(value, "torch._tensor", "_rebuild_from_type") ||
         pickle.is_global(value, "torch._tensor", "_rebuild_from_type_v2");
}

// The call of _rebuild_tensor within parameters and subclasses of tensors.
Call innermost(const Pickle& pickle, PickleValue value, const std::string& where) {
  Call call{pickle.items(value)[0], pickle.items(value)[1]};
  for (int depth = 0; depth < 8 && !is_rebuild_tensor(pickle, call.callable); ++depth) {
    const Values arguments = pickle.items(call.arguments);
    if (is_from_type(pickle, call.callable) && arguments.size() >= 3) {
      call = {arguments[0], arguments[2]};
    } else if (is_parameter(pickle, call.callable) && !arguments.empty() &&
               arguments[0].kind == Kind::object) {
      call = {pickle.items(arguments[0])[0], pickle.items(arguments[0])[1]};
    } else {
      break;
    }
  }
  if (!is_rebuild_tensor(pickle, call.callable))
    fail(where, "is built by ", pickle.name_of(call.callable), ", which cannot be read; in ",
         "PyTorch, make it a plain dense tensor and save the state dict again");
  return call;
}

}  // namespace

StorageId parse_storage_id(const Pickle& pickle, PickleValue persistent, const std::string& where) {
  const Values outer = pickle.items(persistent);
  const Values id = persistent.kind == Kind::persistent ? pickle.items(outer[0]) : Values{};
  require(id.size() >= 5 && pickle.text(id[0]) == "storage" && id[2].kind == Kind::text &&
              id[2].size <= max_key && natural(id[4]),
          where, "expected a storage (\"storage\", type, key, location, elements)");
  StorageId out{.key = std::string(pickle.text(id[2])),
                .dtype = dtype_named(pickle, id[1], where),
                .untyped = is_torch(pickle, id[1], "UntypedStorage") ||
                           is_torch(pickle, id[1], "_UntypedStorage"),
                .elements = *natural(id[4])};
  require(out.elements <= UINT64_MAX / 8, where, "has ", out.elements, " elements");
  const Values part = id.size() > 5 ? pickle.items(id[5]) : Values{};  // (key, offset, elements)
  if (part.empty()) return out;
  require(part.size() == 3 && natural(part[1]) && natural(part[2]), where,
          "expected a part of a storage (key, offset, elements)");
  out.part = {*natural(part[1]), *natural(part[2])};
  require(out.part->begin <= out.elements && out.part->size <= out.elements - out.part->begin,
          where, "takes ", out.part->size, " elements from ", out.part->begin, " of a storage of ",
          out.elements, "; the file is damaged, fetch it again");
  return out;
}

bool TensorRebuilder::is_tensor(PickleValue value) const {
  if (value.kind != Kind::object) return false;
  const PickleValue callable = pickle_.items(value)[0];
  return is_rebuild_tensor(pickle_, callable) || is_parameter(pickle_, callable) ||
         is_from_type(pickle_, callable) || is_array(value);
}

// numpy.core.multiarray._reconstruct(...) with the state (version, shape, dtype, is_fortran, data).
bool TensorRebuilder::is_array(PickleValue value) const {
  const Values items = pickle_.items(value);
  if (value.kind != Kind::object || items.size() < 3) return false;
  return pickle_.is_global(items[0], "numpy.core.multiarray", "_reconstruct") ||
         pickle_.is_global(items[0], "numpy._core.multiarray", "_reconstruct");
}

Tensor TensorRebuilder::build_array(PickleValue value, const std::string& where) {
  const Values state = pickle_.items(pickle_.items(value)[2]);
  require(state.size() == 5 && state[3].kind == Kind::boolean && state[2].kind == Kind::object,
          where, "is a NumPy array of an unknown form");
  const Shape shape = read_shape(pickle_, state[1], where);
  const Values type = pickle_.items(pickle_.items(state[2])[1]);
  const std::string_view code = type.empty() ? std::string_view() : pickle_.text(type[0]);
  constexpr std::pair<std::string_view, DType> codes[] = {
      {"f8", DType::f64}, {"f4", DType::f32}, {"f2", DType::f16},
      {"i8", DType::i64}, {"i4", DType::i32}, {"i2", DType::i16},
      {"i1", DType::i8},  {"u1", DType::u8},  {"b1", DType::boolean}};
  const auto* known = std::find_if(std::begin(codes), std::end(codes),
                                   [&](const auto& c) { return c.first == code; });
  require(known != std::end(codes), where, "is a NumPy array of ", in_quotes(code),
          "; convert it to float32");
  require(state[3].integer == 0 || shape.size() < 2, where,
          "is a NumPy array in Fortran's order; np.ascontiguousarray it");
  // Protocol 2 spells bytes as _codecs.encode(text, "latin1").
  PickleValue data = state[4];
  const bool encoded = data.kind == Kind::object;
  if (encoded) {
    const Values arguments = pickle_.items(pickle_.items(data)[1]);
    require(pickle_.is_global(pickle_.items(data)[0], "_codecs", "encode") && !arguments.empty(),
            where, "is a NumPy array without its bytes");
    data = arguments[0];
  }
  const std::string_view text = pickle_.text(data);
  budget_.take(text.size() + 1024, "its NumPy arrays");
  std::string bytes;
  for (size_t i = 0; encoded && i < text.size(); ++i) {  // UTF-8 of U+0000 to U+00ff
    const auto c = static_cast<uint8_t>(text[i]);
    const bool two = c >= 0xc2 && c <= 0xc3 && i + 1 < text.size();
    require(c < 0x80 || two, where, "is a NumPy array whose bytes are damaged");
    bytes += two ? static_cast<char>((c & 3) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f))
                 : static_cast<char>(c);
  }
  const std::string_view raw = encoded ? std::string_view(bytes) : text;
  int64_t elements = 0;
  try {
    elements = count(shape);
  } catch (const Error& error) {
    fail(where, error.what());
  }
  require(
      static_cast<uint64_t>(elements) * static_cast<uint64_t>(size_of(known->second)) == raw.size(),
      where, "is a NumPy array ", to_string(shape), " of ", raw.size(), " bytes");
  Tensor out = Tensor::uninitialised(shape, known->second);
  std::memcpy(out.raw(), raw.data(), raw.size());
  return out;
}

const MappedFile& TensorRebuilder::storage(const StorageId& id, const std::string& where) {
  const auto found = storages_.find(id.key);
  if (found != storages_.end()) {
    require(found->second.bytes.size() == id.bytes(), where, "its storage has ", id.bytes(),
            " bytes, and ", found->second.bytes.size(), " for another tensor");
    return found->second;
  }
  budget_.take(id.key.size() + 256, "its storages");
  MappedFile file = locate_(id);
  const uintptr_t alignment = id.untyped ? 8 : static_cast<uintptr_t>(size_of(id.dtype));
  if (reinterpret_cast<uintptr_t>(file.bytes.data()) % alignment != 0) {
    budget_.take(file.bytes.size(), "its storages, which are not aligned,");
    auto aligned = allocate_aligned(static_cast<int64_t>(file.bytes.size()));
    std::memcpy(aligned.get(), file.bytes.data(), file.bytes.size());
    file.bytes = {static_cast<uint8_t*>(aligned.get()), file.bytes.size()};
    file.owner = std::move(aligned);
  }
  return storages_.emplace(id.key, std::move(file)).first->second;
}

Tensor TensorRebuilder::build(PickleValue value, const std::string& where) {
  if (is_array(value)) return build_array(value, where);
  const Call call = innermost(pickle_, value, where);
  const Values arguments = pickle_.items(call.arguments);
  const bool v3 = is_rebuild(pickle_, call.callable, "_rebuild_tensor_v3");
  const size_t plain = v3 ? 7 : is_rebuild(pickle_, call.callable, "_rebuild_tensor_v2") ? 6 : 4;
  if (arguments.size() < plain)
    fail(where, "expected ", plain, " arguments of ", pickle_.name_of(call.callable), ", got ",
         arguments.size());
  // Bits that say that elements are negated or conjugated before they are used.
  require(arguments.size() == plain || pickle_.items(arguments[plain]).empty(), where,
          "is a negated or conjugated view; in PyTorch, save its clone()");

  const StorageId id = parse_storage_id(pickle_, arguments[0], where);
  const DType dtype = v3 ? dtype_named(pickle_, arguments[6], where) : id.dtype;
  const Layout layout = read_layout(pickle_, arguments, where);
  budget_.take(16 * layout.shape.size(), "its tensors");
  if (const auto copy = copies_.find(value.at); copy != copies_.end()) return copy->second;
  const MappedFile& memory = storage(id, where);
  const auto element = static_cast<uint64_t>(size_of(dtype)),
             own = static_cast<uint64_t>(size_of(id.dtype));
  const std::span<uint8_t> elements =
      id.part ? memory.bytes.subspan(id.part->begin * own, id.part->size * own) : memory.bytes;
  check_bounds(layout, elements.size() / element, where);
  require(reinterpret_cast<uintptr_t>(elements.data()) % element == 0, where,
          "lies at an address that suits no ", to_string(dtype));
  if (count(layout.shape) == 0) return Tensor(layout.shape, dtype);
  if (layout.dense())
    return Tensor::view(elements.data() + layout.offset * element, layout.shape, dtype,
                        memory.owner);
  uint64_t bytes = 0;
  require(!__builtin_mul_overflow(static_cast<uint64_t>(count(layout.shape)), element, &bytes),
          where, to_string(layout.shape), " overflows");
  budget_.take(bytes < UINT64_MAX - 1024 ? bytes + 1024 : bytes, "its tensors that are not dense");
  return copies_.emplace(value.at, gather(elements.data(), layout, dtype)).first->second;
}

}  // namespace limbic::weights
