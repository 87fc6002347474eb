#include "limbic/weights/pytorch/pytorch.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>

#include "limbic/core/error.h"
#include "limbic/weights/checkpoint.h"
#include "tests/weights/pth_writer.h"

using namespace limbic;
using namespace limbic::weights;
using namespace limbic::pickled;

namespace {

using Bytes = std::vector<uint8_t>;
using Tensors = std::map<std::string, Tensor>;

Bytes bytes_of(const std::vector<float>& values) {
  Bytes out(values.size() * 4);
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// 0, 1, 2 ... 23, as 4 rows of 6 columns.
const Storage counted{"0", bytes_of({0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                     12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23})};
const std::string floats = storage("FloatStorage", "0", 24);
const std::string whole = tensor(floats, {.sizes = {4, 6}, .strides = {6, 1}});

Tensors parse(const Bytes& bytes) { return parse_pytorch(at_exact_size(bytes, "x.pth")).tensors; }

// A state dict in both forms.
Tensors parse_both(const std::string& value, const std::vector<Storage>& storages = {counted}) {
  const Tensors zip = parse(zip_form(pickle(value), storages));
  const Tensors stream = parse(stream_form(pickle(value), storages));
  CHECK(zip.size() == stream.size());
  for (const auto& [name, tensor] : zip) {
    const Tensor& other = stream.at(name);
    CHECK(other.shape() == tensor.shape());
    CHECK(other.dtype() == tensor.dtype());
    CHECK(std::memcmp(other.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
    const auto size = static_cast<size_t>(size_of(tensor.dtype()));
    CHECK(reinterpret_cast<uintptr_t>(tensor.raw()) % size == 0);
    CHECK(reinterpret_cast<uintptr_t>(other.raw()) % size == 0);
  }
  return zip;
}

std::string error_of(const Bytes& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("x.pth: "));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return "no error";
}

std::string error_of(const std::string& value, const std::vector<Storage>& storages = {counted}) {
  const std::string zip = error_of(zip_form(pickle(value), storages));
  CHECK(error_of(stream_form(pickle(value), storages)) == zip);
  return zip;
}

void contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.values().begin(), tensor.values().end()};
}

std::string rebuilt(const std::string& function, const Parts& arguments) {
  return reduce(global("torch._utils", function), arguments);
}

}  // namespace

TEST_CASE("pytorch: tensors are views of the file in any arrangement, also shared ones") {
  const Tensors read = parse_both(
      dict({{"whole", whole},
            {"tied", whole},
            {"part", tensor(floats, {.offset = 6, .sizes = {2, 6}, .strides = {6, 1}})},
            {"transposed", tensor(floats, {.sizes = {6, 4}, .strides = {1, 6}})},
            {"every second", tensor(floats, {.offset = 1, .sizes = {2, 3}, .strides = {12, 2}})},
            {"channels last", tensor(floats, {.sizes = {1, 3, 2, 4}, .strides = {24, 1, 12, 3}})},
            {"expanded", tensor(floats, {.offset = 5, .sizes = {2, 2}, .strides = {0, 0}})},
            {"ones", tensor(floats, {.offset = 23, .sizes = {1, 1}, .strides = {INT64_MAX, 7}})},
            {"column of ones", tensor(floats, {.sizes = {2, 1, 2}, .strides = {2, INT64_MAX, 1}})},
            {"gaps and ones", tensor(floats, {.sizes = {2, 1, 2}, .strides = {9, INT64_MAX, 2}})},
            {"scalar", tensor(floats, {.offset = 3})},
            {"empty", tensor(floats, {.offset = 24,
                                      .sizes = {0, INT64_MAX, INT64_MAX},
                                      .strides = {INT64_MAX, INT64_MAX, 1}})}}));
  CHECK(values(read.at("whole"))[23] == 23);
  CHECK(read.at("whole").raw() == read.at("tied").raw());
  CHECK(values(read.at("part")) == std::vector<float>{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  CHECK(read.at("part").data() == read.at("whole").data() + 6);
  CHECK(values(read.at("transposed"))[1] == 6);
  CHECK(values(read.at("transposed"))[22] == 17);
  CHECK(values(read.at("every second")) == std::vector<float>{1, 3, 5, 13, 15, 17});
  CHECK(values(read.at("channels last"))[5] == 15);
  CHECK(values(read.at("channels last"))[23] == 23);
  CHECK(values(read.at("expanded")) == std::vector<float>{5, 5, 5, 5});
  CHECK(values(read.at("ones")) == std::vector<float>{23});
  CHECK(values(read.at("column of ones")) == std::vector<float>{0, 1, 2, 3});
  CHECK(values(read.at("gaps and ones")) == std::vector<float>{0, 2, 9, 11});
  CHECK(read.at("scalar").shape() == Shape{});
  CHECK(values(read.at("scalar")) == std::vector<float>{3});
  CHECK(read.at("empty").size() == 0);
}

TEST_CASE("pytorch: every type of storage, every way to build") {
  Parts names;
  std::vector<Storage> storages;
  std::vector<std::pair<std::string, std::string>> entries;
  const std::pair<std::string, DType> types[] = {{"Double", DType::f64}, {"Float", DType::f32},
                                                 {"Half", DType::f16},   {"BFloat16", DType::bf16},
                                                 {"Long", DType::i64},   {"Int", DType::i32},
                                                 {"Short", DType::i16},  {"Char", DType::i8},
                                                 {"Byte", DType::u8},    {"Bool", DType::boolean}};
  for (const auto& [name, dtype] : types) {
    Bytes bytes(static_cast<size_t>(3 * size_of(dtype)));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i + storages.size());
    entries.emplace_back(
        name, tensor(storage(name + "Storage", name, 3), {.sizes = {3}, .strides = {1}}));
    entries.emplace_back(name + " backwards", tensor(storage(name + "Storage", name, 3),
                                                     {.sizes = {1, 2}, .strides = {0, 2}}));
    storages.push_back({name, bytes, size_of(dtype)});
  }
  Tensors read = parse_both(dict(entries), storages);
  for (const auto& [name, dtype] : types) {
    CHECK(read.at(name).dtype() == dtype);
    const auto size = static_cast<size_t>(size_of(dtype));
    const auto* all = static_cast<const char*>(read.at(name).raw());
    const auto* ends = static_cast<const char*>(read.at(name + " backwards").raw());
    CHECK(std::memcmp(all, ends, size) == 0);
    CHECK(std::memcmp(all + 2 * size, ends + size, size) == 0);
  }

  const std::string sizes = integers({2}), strides = integers({1}), no = boolean(false);
  const std::string untyped =
      persistent(tuple({text("storage"), global("torch.storage", "UntypedStorage"), text("0"),
                        text("cpu"), integer(96)}));
  read = parse_both(dict(
      {{"v1", rebuilt("_rebuild_tensor", {floats, integer(1), sizes, strides})},
       {"parameter", rebuilt("_rebuild_parameter", {whole, no, none()})},
       {"with state", rebuilt("_rebuild_parameter_with_state", {whole, no, none(), dict({})})},
       {"subclass", reduce(global("torch._tensor", "_rebuild_from_type_v2"),
                           {global("torch._utils", "_rebuild_tensor"), global("torch", "Tensor"),
                            tuple({floats, integer(2), sizes, strides}), dict({})})},
       {"Size",
        rebuilt("_rebuild_tensor", {floats, integer(4), reduce(global("torch", "Size"), {sizes}),
                                    list({integer(1)})})}}));
  CHECK(values(read.at("v1")) == std::vector<float>{1, 2});
  CHECK(read.at("parameter").shape() == Shape{4, 6});
  CHECK(read.at("with state").shape() == Shape{4, 6});
  CHECK(values(read.at("subclass")) == std::vector<float>{2, 3});
  CHECK(values(read.at("Size")) == std::vector<float>{4, 5});
  const std::string v3 =
      dict({{"v3", rebuilt("_rebuild_tensor_v3", {untyped, integer(1), sizes, strides, no, none(),
                                                  global("torch", "float32")})}});
  CHECK(values(parse(zip_form(pickle(v3), {counted})).at("v3")) == std::vector<float>{1, 2});
  Storage as_bytes = counted;
  as_bytes.element = 1;
  CHECK(values(parse(stream_form(pickle(v3), {as_bytes})).at("v3")) == std::vector<float>{1, 2});
}

TEST_CASE("pytorch: archives that others have packed") {
  const std::string state = pickle(dict({{"w", whole}}));
  for (size_t alignment : {1, 2, 64})
    for (bool deflate : {false, true})
      for (const std::string stem : {"", "a/"}) {
        const ZipOptions o{.stem = stem,
                           .byteorder = deflate ? "" : "little",
                           .deflate = deflate,
                           .alignment = alignment,
                           .archive = {.zip64 = deflate}};
        CHECK(values(parse(zip_form(state, {counted}, o)).at("w"))[23] == 23);
      }
  contains(error_of(zip_form(state, {counted}, {.byteorder = "big"})), "big-endian");
  contains(error_of(zip_form(state, {counted}, {.stem = "a/b/"})), "without data.pkl");
}

TEST_CASE("pytorch: a state dict is found where training scripts put it") {
  const std::string state = dict({{"w", whole}});
  const auto same = [&](const std::string& root) {
    const Tensors read = parse_both(root);
    CHECK(read.size() == 1);
    CHECK(read.count("w") == 1);
  };
  const std::string scalar = tensor(floats, {});
  for (const char* name : {"state_dict", "model", "model_state_dict", "net", "ema", "params"})
    same(dict({{"epoch", integer(3)}, {"best", scalar}, {name, state}}));
  same(dict({{"ema", dict({{"e", scalar}})}, {"state_dict", state}}));
  same(dict({{"model", dict({{"state_dict", state}})}}));
  same(dict({{"generator", state},
             {"optimizer", dict({{"state", dict({{"0", dict({{"m", whole}})}})}})}}));
  same(dict({{"w", whole},
             {"steps", integer(7)},
             {"extra", none()},
             {"log", list({text("a")})},
             {"args", global("argparse", "Namespace") + ")\x81" + dict({{"lr", real(0.1)}}) + "b"},
             {"best",
              reduce(global("numpy.core.multiarray", "scalar"), {text("f8"), text("12345678")})}}));
  same(reduce(global("collections", "OrderedDict"), {list({list({text("w"), whole})})}));
  // Subclasses of dict, lists, tuples, whatever stands before.
  same(tuple({state, integer(3)}));
  same(list({state, dict({{"lr", real(0.1)}})}));
  same(dict({{"checkpoint", dict({{"a", list({dict({{"state_dict", state}})})}})}}));
}

TEST_CASE("pytorch: of several networks one is chosen and said, or asked for") {
  const auto named = [](const std::string& name) { return dict({{name, whole}}); };
  const auto taken = [](const std::string& root, const std::string& state) {
    const MappedFile file = at_exact_size(zip_form(pickle(root), {counted}), "x.pth");
    return parse_pytorch(file, state);
  };
  const std::string timm = dict({{"state_dict", named("a")}, {"state_dict_ema", named("b")}});
  CHECK(taken(timm, "").tensors.count("b") == 1);
  CHECK(taken(timm, "").remark.find("takes 'state_dict_ema'") != std::string::npos);
  CHECK(taken(timm, "state_dict").tensors.count("a") == 1);
  CHECK(taken(timm, "state_dict").remark == "");
  CHECK(taken(timm, "").states == std::vector<std::string>{"state_dict", "state_dict_ema"});
  const std::string two =
      dict({{"student", named("a")}, {"deep", dict({{"teacher", named("b")}})}});
  contains(error_of(two), "holds several networks ('student' of 1 tensors, 'deep.teacher'");
  CHECK(taken(two, "teacher").tensors.count("b") == 1);
  CHECK_THROWS_WITH_AS(taken(two, "other"), doctest::Contains("has no network 'other'"), Error);
}

TEST_CASE("pytorch: what is no state dict is explained") {
  const std::string module = global("nets", "Net") + ")\x81" +
                             dict({{"training", boolean(true)},
                                   {"_modules", dict({})},
                                   {"_parameters", dict({{"w", whole}})}}) +
                             "b";
  contains(error_of(module), "holds a whole module ('nets.Net'), which only its own Python code");
  contains(error_of(dict({{"model", module}})), "holds a whole module ('nets.Net')");
  contains(error_of(whole), "holds a single tensor, expected a state dict");
  contains(error_of(list({whole, whole})), "holds a list of 2 elements");
  contains(error_of(integer(3), {}), "holds no tensors");
  contains(error_of(dict({}), {}), "holds no tensors");
  contains(error_of(reduce(global("a", "b"), {}), {}), "holds something built by 'a.b'");
  contains(error_of(dict({{"w", reduce(global("numpy.core.multiarray", "_reconstruct"), {})}}), {}),
           "holds no tensors ('w' is built by 'numpy.core.multiarray._reconstruct')");
  contains(error_of(dict({{"a", dict({{"w", whole}})}, {"b", dict({{"w", whole}})}})),
           "holds several networks ('a' of 1 tensors");
  std::string deep = dict({{"w", whole}});
  for (int i = 0; i < 9; ++i) deep = dict({{"model", deep}});
  contains(error_of(deep), "holds no tensors");
  const auto member = [](const std::string& name) {
    return ZipWriterMember{.name = name, .content = {}};
  };
  contains(error_of(write_zip({member("a/data.pkl"), member("a/constants.pkl")})),
           "a TorchScript program");
  contains(error_of(write_zip({member("config.json")})), "a zip archive without data.pkl");
  Bytes tar(600);
  std::memcpy(&tar[257], "ustar", 5);
  contains(error_of(tar), "a tar archive; unpack it");
  std::memcpy(&tar[0], "sys_info", 8);
  contains(error_of(tar), "a tar archive, as PyTorch wrote before 0.2");
  contains(error_of(Bytes{'h', 'i'}), "not written by torch.save");
}

TEST_CASE("pytorch: what a tensor depends on and nobody can build is named") {
  const auto built = [](const std::string& function) {
    return dict({{"a\nb", reduce(function, {floats})}, {"w", whole}});
  };
  contains(error_of(built(global("torch._utils", "_rebuild_sparse_tensor"))),
           "tensor 'a?b': is built by 'torch._utils._rebuild_sparse_tensor', which cannot be read");
  contains(error_of(built(global("os", "system"))), "is built by 'os.system'");
  contains(
      error_of(dict({{"p", rebuilt("_rebuild_parameter",
                                   {reduce(global("os", "system"), {floats}), none(), none()})}})),
      "is built by 'os.system'");
  contains(error_of(dict({{"p", rebuilt("_rebuild_parameter", {none()})}}), {}),
           "is built by 'torch._utils._rebuild_parameter'");
  std::string nested = whole;
  for (int i = 0; i < 20; ++i) nested = rebuilt("_rebuild_parameter", {nested});
  contains(error_of(dict({{"p", nested}})), "is built by 'torch._utils._rebuild_parameter'");
  const std::string sizes = integers({2}), strides = integers({1});
  contains(error_of(dict(
               {{"a", rebuilt("_rebuild_tensor_v2", {floats, integer(0), sizes, strides, none(),
                                                     none(), dict({{"neg", boolean(true)}})})}})),
           "negated or conjugated");
  contains(
      error_of(dict({{"a", rebuilt("_rebuild_tensor_v2", {floats, integer(0), sizes, strides})}})),
      "expected 6 arguments of 'torch._utils._rebuild_tensor_v2', got 4");
  contains(error_of(dict(
               {{"a", rebuilt("_rebuild_tensor_v3", {floats, integer(0), sizes, strides, none(),
                                                     none(), global("torch", "complex64")})}})),
           "has elements of type 'torch.complex64'");
  contains(error_of(zip_form(pickle(dict({{"a", tensor(storage("QInt8Storage", "0", 24), {})}})),
                             {counted})),
           "has elements of type 'torch.QInt8Storage'");
}

TEST_CASE("pytorch: shapes, strides and storages that do not fit are refused with the name") {
  const auto wrong = [](const TensorOptions& o) {
    const std::string error = error_of(dict({{"a.b", tensor(floats, o)}}));
    contains(error, "x.pth: tensor 'a.b': ");
    return error;
  };
  contains(wrong({.sizes = {25}, .strides = {1}}),
           "(25) with strides (1) from element 0 lies outside of its 24 elements");
  contains(wrong({.offset = 24}), "outside of its 24");
  contains(wrong({.offset = INT64_MAX, .sizes = {2}, .strides = {INT64_MAX}}), "outside of its 24");
  // An empty slice keeps the offset that it was taken at: zeros(4, 6)[4:, 3:].
  CHECK(error_of(dict({{"a.b", tensor(floats, {.offset = 27, .sizes = {0, 3}, .strides = {6, 1}})},
                       {"w", whole}})) == "no error");
  contains(wrong({.sizes = {3, 2}, .strides = {12, 1}}), "outside of its 24");
  contains(wrong({.sizes = {2, 2}, .strides = {INT64_MAX, INT64_MAX}}), "outside of its 24");
  contains(wrong({.offset = 23, .sizes = {2}, .strides = {-1}}), "sizes and strides of 0 and more");
  contains(wrong({.sizes = {-2}, .strides = {1}}), "sizes and strides of 0 and more");
  contains(wrong({.offset = -1, .sizes = {2}, .strides = {1}}), "an offset of 0 or more");
  contains(wrong({.sizes = {2}, .strides = {1, 1}}), "1 sizes, but 2 strides");
  contains(wrong({.sizes = {INT64_MAX, 4, 0}, .strides = {0, 0, 0}}), "overflows");
  contains(wrong({.sizes = std::vector<int64_t>(65, 1), .strides = std::vector<int64_t>(65, 1)}),
           "at most 64 sizes");
  const auto huge = [&](const std::vector<int64_t>& sizes) {
    return error_of(
        dict({{"a", tensor(floats,
                           {.sizes = sizes, .strides = std::vector<int64_t>(sizes.size(), 0)})}}));
  };
  contains(huge({1 << 20, 1 << 20}), "more memory than a file of its size may");
  contains(huge({INT64_MAX}), "overflows");

  const auto stored = [](const std::string& s) {
    return error_of(zip_form(pickle(dict({{"a", tensor(s, {})}})), {counted}));
  };
  contains(stored(storage("FloatStorage", "0", 25)), "storage '0' has 96 bytes, expected 100");
  contains(stored(storage("FloatStorage", "1", 24)), "storage '1' is not in the archive");
  contains(stored(storage("FloatStorage", "0", -1)), "expected a storage");
  contains(stored(storage("FloatStorage", "0", INT64_MAX)), "elements");
  contains(stored(storage("FloatStorage", std::string(300, 'k'), 24)), "expected a storage");
  contains(stored(none()), "expected a storage");
  contains(stored(persistent(none())), "expected a storage");
  contains(error_of(zip_form(
               pickle(dict({{"a", whole}, {"b", tensor(storage("ByteStorage", "0", 24), {})}})),
               {counted})),
           "its storage has 24 bytes, and 96 for another tensor");
  contains(error_of(zip_form(pickle(dict({{"w", whole}})), {{"0", Bytes(95)}})), "has 95 bytes");
  contains(error_of(dict({{std::string(600, 'n'), whole}})), "names of at most 512 bytes");
}

TEST_CASE("pytorch: the stream form is checked from its head to its last storage") {
  const std::string state = pickle(dict({{"w", whole}}));
  const Bytes good = stream_form(state, {counted});
  for (size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of(Bytes(good.begin(), good.begin() + static_cast<int64_t>(size))) != "no error");
  }
  const auto error = [](const std::string& text) {
    return error_of(Bytes(text.begin(), text.end()));
  };
  const std::string magic = stream_head().substr(0, 15), protocol = pickle(integer(1001));
  contains(error(pickle(text("x\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"))),
           "not written by torch.save");
  contains(error(magic + pickle(integer(1000))), "expected protocol 1001");
  contains(error(magic + protocol + pickle(dict({{"little_endian", boolean(false)}}))),
           "big-endian");
  contains(error(magic + protocol + pickle(dict({}))), "big-endian");
  const auto after = [&](const std::string& keys, const std::string& data) {
    return error(stream_head() + state + pickle(keys) + data);
  };
  contains(after(list({}), ""), "storage '0': is missing");
  contains(after(list({text("9")}), ""), "storage '9': is in the list, but no tensor has it");
  contains(after(list({text("0")}), ""), "storage '0': is cut");
  contains(after(list({text("0")}), u64(24)), "24 elements do not fit the file");
  contains(after(list({text("0")}), u64(UINT64_MAX)), "elements do not fit the file");
  contains(after(list({text("0")}), u64(23) + std::string(92, 'x')), "has 92 bytes, expected 96");
  contains(after(list({text("0"), text("0")}), u64(0) + u64(0)), "is there twice");
  const auto part = [](int64_t begin, int64_t size) {
    const std::string id =
        persistent(tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                          integer(24), tuple({text("v"), integer(begin), integer(size)})}));
    return stream_form(
        pickle(dict(
            {{"w", rebuilt("_rebuild_tensor", {id, integer(1), integers({2}), integers({1})})}})),
        {counted});
  };
  CHECK(values(parse(part(10, 3)).at("w")) == std::vector<float>{11, 12});
  contains(error_of(part(10, 2)), "outside of its 2 elements");
  contains(error_of(part(20, 5)), "takes 5 elements from 20 of a storage of 24");
  contains(error_of(part(-1, 5)), "expected a part of a storage");
  const std::string source = persistent(
      tuple({text("module"), global("m", "Net"), text("net.py"), text("class Net: pass")}));
  CHECK(parse(stream_form(pickle(dict({{"w", whole}, {"net", source}})), {counted})).size() == 1);
}

TEST_CASE("pytorch: the published files load") {
  const std::string folder = std::string(LIMBIC_SOURCE_DIR) + "/../shared/data/weights/";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: " << folder << " is not there");
    return;
  }
  const Tensors pth = read_checkpoint(folder + "squeezenet1_1.pth").tensors;
  const Tensors expected = read_checkpoint(folder + "squeezenet1_1.safetensors").tensors;
  REQUIRE(pth.size() == expected.size());
  for (const auto& entry : expected) {
    CAPTURE(entry.first);
    const Tensor& ours = pth.at(entry.first);
    CHECK(ours.shape() == entry.second.shape());
    CHECK(ours.dtype() == entry.second.dtype());
    CHECK(std::memcmp(ours.raw(), entry.second.raw(), static_cast<size_t>(ours.bytes())) == 0);
  }
  const Tensors resnet20 = read_checkpoint(folder + "resnet20-12fca82f.th").tensors;
  CHECK(resnet20.size() == 97);
  CHECK(resnet20.at("module.conv1.weight").shape() == Shape{16, 3, 3, 3});
}
