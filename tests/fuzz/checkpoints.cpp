// weights/: safetensors, PyTorch's pickles and archives, NumPy's, zip.
#include <cstring>

#include "limbic/weights/checkpoint.h"
#include "limbic/weights/match.h"
#include "limbic/weights/npz.h"
#include "limbic/weights/pytorch/pytorch.h"
#include "limbic/weights/safetensors.h"
#include "limbic/weights/zip.h"
#include "tests/fuzz/target.h"
#include "tests/weights/pth_writer.h"

namespace limbic::fuzz {
namespace {

using namespace limbic::pickled;
using namespace limbic::weights;

const std::vector<Storage>& storages() {
  static const std::vector<Storage> all = {
      {"0", Bytes(96, 7), 4}, {"1", Bytes(64, 9), 8}, {"2", Bytes(7, 1), 1}};
  return all;
}

// Reads tensors and holds them against a network, whatever their names have become.
void use(const std::map<std::string, Tensor>& tensors) {
  read_all(tensors);
  match_names(tensors, {"resnet18",
                        {{"a.weight", {4, 6}}, {"a.view", {3, 2, 2}}, {"fc.weight", {4, 6}}},
                        "fc",
                        6,
                        false,
                        ""});
}

void read_safetensors_bytes(const Bytes& bytes) {
  use(parse_safetensors(in_memory(bytes, "x")).tensors);
}

void read_pytorch(const Bytes& bytes) { use(parse_pytorch(in_memory(bytes, "x")).tensors); }

// What a checkpoint's pickle may hold, in the older form, which has no checksums.
void read_pickle(const Bytes& bytes) { read_pytorch(stream_form(text_of(bytes), storages())); }

void read_npz(const Bytes& bytes) { use(parse_npz(in_memory(bytes, "x"), false)); }

void read_zip(const Bytes& bytes) {
  const ZipArchive archive(in_memory(bytes, "x"));
  uint64_t left = 2 * bytes.size() + (uint64_t{48} << 20);
  for (const ZipMember& member : archive.members()) {
    const MappedFile read = archive.read(member, left);
    if (member.method != 0) left -= member.size;
    read_all({{"", Tensor::view(read.bytes.data(), {static_cast<int64_t>(read.bytes.size())},
                                DType::u8, read.owner)}});
  }
}

// By its path, any format.
void read_any(const Bytes& bytes) {
  const MemoryFile file(bytes);
  use(read_checkpoint(file.path()).tensors);
}

// The index of a checkpoint in several files, one of which lies beside it.
void read_index(const Bytes& bytes) {
  static const MemoryFolder folder;
  static const bool written = [] {
    write_safetensors(folder / "a.safetensors", {{"a.weight", Tensor({4, 6})}});
    return true;
  }();
  (void)written;
  folder.write("model.safetensors.index.json", bytes);
  use(read_checkpoint(folder / "model.safetensors.index.json").tensors);
}

Bytes safetensors(const std::string& header, size_t buffer) {
  std::string out = u64(header.size()) + header;
  out.append(buffer, 'x');
  return bytes_of(out);
}

std::vector<Bytes> safetensors_files() {
  return {safetensors(R"({"a.weight":{"dtype":"F32","shape":[4,6],"data_offsets":[0,96]},)"
                      R"("fc.weight":{"dtype":"BF16","shape":[4,6],"data_offsets":[96,144]},)"
                      R"("__metadata__":{"format":"pt"}})",
                      144),
          safetensors(R"({"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", 8),
          safetensors("{}", 0)};
}

std::string array() {  // NumPy's, as protocol 2 has it
  return reduce(global("numpy.core.multiarray", "_reconstruct"),
                {global("numpy", "ndarray"), tuple({integer(0)}), text("b")}) +
         "(" + integer(1) + tuple({integer(3)}) +
         reduce(global("numpy", "dtype"), {text("f4"), boolean(false), boolean(true)}) +
         boolean(false) +
         reduce(global("_codecs", "encode"), {text("0123456789\xc3\xbf"
                                                   "a"),
                                              text("latin1")}) +
         "tb";
}

std::string state() {
  const std::string floats = storage("FloatStorage", "0", 24);
  return dict(
      {{"module.a.weight", tensor(floats, {.sizes = {4, 6}, .strides = {6, 1}})},
       {"module.a.array", array()},
       {"module.a.view", tensor(floats, {.offset = 1, .sizes = {3, 2, 2}, .strides = {7, 1, 2}})},
       {"module.n", tensor(storage("LongStorage", "1", 8), {.offset = 3})},
       {"module.b", tensor(storage("BoolStorage", "2", 7), {.sizes = {7}, .strides = {1}})}});
}

std::vector<std::string> pickles() {
  const std::string linear = "(" + integer(1) + integer(513) + integer(-1) + real(0.5) +
                             "\x8a\x03"
                             "abc" +
                             boolean(true) + "Nl";
  const std::string object = "cargparse\nNamespace\n)\x81}(" + text("epochs") + integer(3) + "ub";
  const std::string ordered =
      reduce(global("collections", "OrderedDict"), {list({tuple({text("a.weight"), none()})})});
  return {pickle(state()),
          pickle(dict({{"state_dict", state()}, {"args", object}, {"numbers", linear}})),
          pickle(dict({{"model", state()}, {"model_ema", state()}, {"optimizer", ordered}})),
          pickle("\x95" + u64(9) + "}\x94(\x8c\x01w\x94N\x8c\x01s\x94\x8f(K\x01\x90u", 4)};
}

std::vector<Bytes> pickle_bytes() {
  std::vector<Bytes> out;
  for (const std::string& p : pickles()) out.push_back(bytes_of(p));
  return out;
}

// Without checksums, which would keep changes away.
Bytes unchecked(Bytes zip) {
  for (size_t i = 0; i + 30 < zip.size(); ++i)
    if (std::memcmp(zip.data() + i, "PK\x01\x02", 4) == 0) std::memset(&zip[i + 16], 0, 4);
  return zip;
}

std::vector<Bytes> pytorch_files() {
  std::vector<Bytes> out;
  for (const std::string& p : pickles()) {
    out.push_back(unchecked(zip_form(p, storages(), {.stem = "m/", .alignment = 1})));
    out.push_back(stream_form(p, storages()));
  }
  out.push_back(
      zip_form(pickle(state()), storages(), {.deflate = true, .archive = {.zip64 = true}}));
  std::string tar = "storages";
  tar.resize(512);
  out.push_back(bytes_of(tar.replace(257, 5, "ustar")));
  return out;
}

std::vector<Bytes> zips() {
  const Bytes content(40, 1);
  return {unchecked(write_zip({{.name = "a", .content = content}, {.name = "b/c", .content = {}}})),
          write_zip({{.name = "a", .content = content, .deflate = true, .zip64 = true}},
                    {.zip64 = true}),
          unchecked(write_zip({{.name = "a", .content = content, .sizes_behind = true}},
                              {.comment = "PK\5\6"}))};
}

std::vector<Bytes> any_files() {
  std::vector<Bytes> out = safetensors_files();
  for (auto more : {pytorch_files(), zips()}) out.insert(out.end(), more.begin(), more.end());
  out.push_back(unchecked(write_zip({{.name = "m.safetensors", .content = out[0]}})));
  return out;
}

}  // namespace

std::vector<Target> checkpoint_targets() {
  return {{"safetensors", read_safetensors_bytes, safetensors_files},
          {"pickle", read_pickle, pickle_bytes},
          {"pytorch", read_pytorch, pytorch_files},
          {"npz", read_npz,
           [] {
             return goldens({"npz/stored.npz", "npz/deflated.npz", "npz/conv1_w.npy"});
           }},
          {"zip", read_zip, zips},
          {"checkpoint", read_any, any_files},
          {"index", read_index, [] {
             return std::vector<Bytes>{bytes_of(R"({"weight_map":{"a.weight":"a.safetensors"}})"),
                                       bytes_of(R"({"metadata":{},"weight_map":{"b":"b.bin"}})")};
           }}};
}

}  // namespace limbic::fuzz
