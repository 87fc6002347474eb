// Mutated PyTorch checkpoints and zip archives: LIMBIC_MUTATIONS=20000 test_weights -tc='*mutat*'.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "limbic/core/error.h"
#include "limbic/weights/match.h"
#include "limbic/weights/pytorch/pytorch.h"
#include "tests/weights/mutations.h"
#include "tests/weights/pth_writer.h"

using namespace limbic;
using namespace limbic::weights;
using namespace limbic::pickled;

namespace {

using Bytes = std::vector<uint8_t>;

size_t below(size_t n, Random& random) {
  return static_cast<size_t>(random.below(static_cast<int64_t>(n)));
}

// Reads it and holds it against a network, whatever its names have become.
std::map<std::string, Tensor> read_pth(const MappedFile& file) {
  auto tensors = parse_pytorch(file).tensors;
  match_names(tensors, {"resnet18",
                        {{"a.weight", {4, 6}}, {"a.view", {3, 2, 2}}, {"fc.weight", {4, 6}}},
                        "fc",
                        6,
                        false,
                        ""});
  return tensors;
}

// Reads every member, keeping what was inflated.
std::map<std::string, Tensor> read_zip(const MappedFile& file) {
  const ZipArchive archive(file);
  uint64_t left = 2 * file.bytes.size() + (uint64_t{48} << 20);
  std::map<std::string, Tensor> out;
  for (const ZipMember& member : archive.members()) {
    const MappedFile read = archive.read(member, left);
    if (member.method != 0) left -= member.size;
    out[std::string(member.name)] = Tensor::view(
        read.bytes.data(), {static_cast<int64_t>(read.bytes.size())}, DType::u8, read.owner);
  }
  return out;
}

const std::string opcodes =
    "(.012JKMNQRTUXabcdeh}jl]qrst)uGBC\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91"
    "\x92\x93\x94\x95\x96";

// Where each opcode of a pickle begins, as far as its lengths can be followed, and where the last
// one ends.
std::vector<size_t> places_of(const std::string& pickle) {
  std::vector<size_t> out;
  size_t at = 0;
  const auto length = [&](size_t bytes) {
    uint64_t size = 0;
    if (at + bytes <= pickle.size()) std::memcpy(&size, &pickle[at], bytes);
    return bytes + std::min<uint64_t>(size, pickle.size());
  };
  while (at < pickle.size()) {
    out.push_back(at);
    const char op = pickle[at++];
    const auto is = [op](std::string_view of) { return of.find(op) != std::string_view::npos; };
    if (is("Khq\x80")) at += 1;
    if (is("M")) at += 2;
    if (is("Jjr")) at += 4;
    if (is("G\x95")) at += 8;
    if (is("UC\x8a\x8c")) at += length(1);
    if (is("TBX\x8b")) at += length(4);
    if (is("\x8d\x8e\x96")) at += length(8);
    for (int line = 0; op == 'c' && line < 2; ++line)
      at = std::min(pickle.find('\n', at), pickle.size()) + 1;
  }
  out.push_back(pickle.size());
  return out;
}

// Pickles that between them have every opcode, and the storages that they name.
struct Sample {
  std::string pickle;
  std::vector<Storage> storages;
};

// A tensor as Python writes it in protocols 4 and 5, and the other opcodes of these.
std::string modern_sample() {
  const auto brief = [](const std::string& t) {
    return "\x8c" + std::string(1, static_cast<char>(t.size())) + t + "\x94";
  };
  const std::string rebuild = brief("torch._utils") + brief("_rebuild_tensor_v2") + "\x93\x94";
  const std::string id = "(" + brief("storage") + global("torch", "FloatStorage") + brief("0") +
                         brief("cpu") + integer(24) + "t\x94Q";
  const std::string hooks = global("collections", "OrderedDict") + ")R\x94";
  const std::string shape =
      integer(4) + integer(6) + "\x86\x94" + integer(6) + integer(1) + "\x86\x94";
  const std::string weight =
      rebuild + "(" + id + integer(0) + shape + "\x89" + hooks + "t\x94R\x94";
  const std::string object = global("argparse", "Namespace") + ")}\x92}b";
  const std::string bytes = "\x8e" + u64(2) + "xx", array = "\x96" + u64(3) + "abc";
  const std::string set = "\x8f(" + integer(1) + bytes + "\x90", frozen = "(" + array + "\x91";
  return pickle("\x95" + u64(20) + "}\x94(" + brief("w") + weight + brief("again") + "h\x01" +
                    brief("set") + set + brief("frozen") + frozen + brief("object") + object + "u",
                4);
}

// A training checkpoint with every opcode of protocol 2, `state` under "state_dict".
std::string old_sample(const std::string& state) {
  const std::string one = integer(1), two = integer(2), high = integer(-1);
  const std::string numbers = "(" + one + integer(513) + high + real(0.5) +
                              "\x8a\x03"
                              "abc" +
                              "\x8b" + u32(2) + "ab" + boolean(true) + boolean(false) + "Nl";
  const std::string texts =
      "(U\x01"
      "aC\x01"
      "bT" +
      u32(1) + "cB" + u32(1) + "d\x8d" + u64(1) + "et";
  const std::string tuples = "(" + one + "\x85" + one + two + "\x86" + one + two + one + "\x87)t";
  const std::string stack = one + "2\x86" + two + "0(" + two + "1";
  const std::string pairs = "(" + text("a") + one + "d" + text("b") + two + "s";
  const std::string lists = "](" + one + two + "e" + one + "a";
  const std::string object = global("m", "C") + ")\x81}b";
  return pickle("}q\x01(" + text("numbers") + numbers + text("texts") + texts + text("tuples") +
                tuples + text("stack") + stack + text("pairs") + pairs + text("lists") + lists +
                text("object") + object + text("state_dict") + state + "r" + u32(1000) +
                text("ema") + "j" + u32(1000) + text("self") + "h\x01u");
}

std::vector<Sample> samples() {
  const std::vector<Storage> storages = {
      {"0", Bytes(96, 7), 4}, {"1", Bytes(64, 9), 8}, {"2", Bytes(7, 1), 1}};
  const std::string floats = storage("FloatStorage", "0", 24),
                    longs = storage("LongStorage", "1", 8);
  const std::string weight = tensor(floats, {.sizes = {4, 6}, .strides = {6, 1}});
  const std::string view = tensor(floats, {.offset = 1, .sizes = {3, 2, 2}, .strides = {7, 1, 2}});
  const std::string counter = tensor(longs, {.offset = 3});
  const std::string bools = tensor(storage("BoolStorage", "2", 7), {.sizes = {7}, .strides = {1}});
  // A NumPy array as protocol 2 has it.
  const std::string array =
      reduce(global("numpy.core.multiarray", "_reconstruct"),
             {global("numpy", "ndarray"), tuple({integer(0)}), text("b")}) +
      "(" + integer(1) + tuple({integer(3)}) +
      reduce(global("numpy", "dtype"), {text("f4"), boolean(false), boolean(true)}) +
      boolean(false) +
      reduce(global("_codecs", "encode"), {text("0123456789\xc3\xbf"
                                                "a"),
                                           text("latin1")}) +
      "tb";
  const std::string state = dict({{"module.a.weight", weight},
                                  {"module.a.array", array},
                                  {"module.a.view", view},
                                  {"module.n", counter},
                                  {"module.b", bools}});
  return {
      {pickle(state), storages}, {modern_sample(), {storages[0]}}, {old_sample(state), storages}};
}

std::string random_value(Random& random) {
  switch (random.below(9)) {
    case 0:
      return integer(static_cast<int64_t>(extreme(random)));
    case 1:
      return integer(-random.below(9));
    case 2:
      return none();
    case 3:
      return tuple({integer(random.below(9)), integer(random.below(9))});
    case 4:
      return storage(random.below(2) ? "FloatStorage" : "ByteStorage", "0", random.below(99));
    case 5:
      return tensor(storage("FloatStorage", "0", 24),
                    {.offset = random.below(30),
                     .sizes = {random.below(9), random.below(1 << 20)},
                     .strides = {random.below(9) - 1, random.below(2)}});
    case 6:
      return reduce(global("os", "system"), {text("true")});
    case 7:
      return text("state_dict");
    default:
      return dict({{"state_dict", list({})}});
  }
}

void mutate_pickle(std::string& pickle, Random& random) {
  for (int64_t n = random.below(4); n >= 0 && !pickle.empty(); --n) {
    const std::vector<size_t> places = places_of(pickle);
    const size_t count = places.size() - 1, i = below(count, random);
    const size_t begin = places[i], next = places[i + 1], elsewhere = places[below(count, random)];
    const size_t end = places[std::min(count, i + 1 + below(4, random))];
    const std::string some = pickle.substr(begin, end - begin);
    switch (random.below(9)) {
      case 0:
        pickle[begin] = opcodes[below(opcodes.size(), random)];
        break;
      case 1:
        pickle.erase(begin, end - begin);
        break;
      case 2:
        pickle.insert(elsewhere, some);
        break;
      case 3: {
        std::string many;
        for (size_t k = 1 + below(3000, random); k > 0; --k) many += some;
        pickle.insert(begin, many);
        break;
      }
      case 4:
        pickle.insert(begin, random_value(random));
        break;
      case 5:
        pickle.replace(begin, next - begin, random_value(random));
        break;
      case 6:
        if (next - begin > 1) {  // a length or a number
          const uint64_t number = extreme(random);
          std::memcpy(&pickle[begin + 1], &number,
                      std::min<size_t>(next - begin - 1, random.below(2) ? 1 : 8));
        }
        break;
      case 7:
        pickle.insert(begin, 1, opcodes[below(opcodes.size(), random)]);
        break;
      default:
        pickle[below(pickle.size(), random)] ^= static_cast<char>(1 << random.below(8));
    }
  }
}

void mutate_storages(std::vector<Storage>& storages, Random& random) {
  auto& s = storages[below(storages.size(), random)];
  switch (random.below(5)) {
    case 0:
      s.bytes.resize(below(200, random));
      break;
    case 1:
      s.bytes.assign(below(1 << 22, random), 0);  // deflates to next to nothing
      break;
    case 2:
      s.key = storages[0].key;
      break;
    case 3:
      s.element = 1 + random.below(8);
      break;
    default:
      s.key += "x";
  }
}

// Numbers of the archive's directory, whose entries begin with PK 1 2, and of its end records.
void mutate_directory(Bytes& bytes, Random& random) {
  std::vector<size_t> records;
  for (size_t at = 0; at + 4 < bytes.size(); ++at)
    if (bytes[at] == 'P' && bytes[at + 1] == 'K' && bytes[at + 2] < 8) records.push_back(at);
  if (records.empty()) return;
  const size_t record = records[below(records.size(), random)];
  const size_t at = record + 4 + below(48, random);
  const uint64_t number = random.below(2) ? extreme(random) : below(bytes.size(), random);
  const size_t width = size_t{1} << random.below(4);
  if (at + width <= bytes.size()) std::memcpy(&bytes[at], &number, width);
}

Bytes mutated_file(const std::vector<Sample>& all, Random& random) {
  Sample s = all[below(all.size(), random)];
  if (random.below(4) != 0) mutate_pickle(s.pickle, random);
  if (s.pickle.empty() || s.pickle.back() != '.') s.pickle += '.';
  if (random.below(4) == 0) mutate_storages(s.storages, random);
  const bool zip = random.below(2) == 0;
  Bytes bytes = zip ? zip_form(s.pickle, s.storages,
                               {.stem = random.below(4) ? "m/" : "",
                                .deflate = random.below(3) == 0,
                                .alignment = random.below(3) ? size_t{64} : size_t{1},
                                .archive = {.zip64 = random.below(2) == 0}})
                    : stream_form(s.pickle, s.storages);
  if (zip && random.below(4) == 0) mutate_directory(bytes, random);
  if (random.below(4) == 0) mutate_bytes(bytes, random);
  return bytes;
}

}  // namespace

TEST_CASE("pytorch: the samples to be mutated load and have every opcode") {
  std::string seen;
  for (const Sample& s : samples()) {
    CHECK(survives(zip_form(s.pickle, s.storages), read_pth));
    CHECK(survives(stream_form(s.pickle, s.storages), read_pth));
    for (size_t place : places_of(s.pickle))
      if (place < s.pickle.size()) seen += s.pickle[place];
  }
  for (char op : opcodes) {
    const int opcode = static_cast<uint8_t>(op);
    CAPTURE(opcode);
    CHECK(seen.find(op) != std::string::npos);
  }
}

TEST_CASE("pytorch: mutated checkpoints either load or throw Error") {
  const std::vector<Sample> all = samples();
  const int64_t count = mutation_count(2000);
  int64_t loaded = 0;
  for (int64_t round = 0; round < count; ++round) {
    CAPTURE(round);
    Random random(11, static_cast<uint64_t>(round));
    loaded += survives(mutated_file(all, random), read_pth);
  }
  MESSAGE(count << " mutated checkpoints, " << loaded << " of them loaded");
  CHECK(loaded > count / 20);
  CHECK(loaded < count);
}

TEST_CASE("zip: mutated archives either open or throw Error") {
  const int64_t count = mutation_count(2000);
  int64_t loaded = 0;
  for (int64_t round = 0; round < count; ++round) {
    CAPTURE(round);
    Random random(12, static_cast<uint64_t>(round));
    std::vector<ZipWriterMember> members;
    for (int64_t i = random.below(4); i >= 0; --i)
      members.push_back({.name = str_cat("m", i),
                         .content = Bytes(below(random.below(20) ? 99 : 1 << 20, random), 1),
                         .deflate = random.below(2) == 0,
                         .zip64 = random.below(2) == 0,
                         .sizes_behind = random.below(2) == 0});
    Bytes bytes = write_zip(
        members, {.zip64 = random.below(2) == 0, .comment = random.below(2) ? "" : "PK\5\6"});
    if (random.below(2)) mutate_directory(bytes, random);
    if (random.below(2)) mutate_bytes(bytes, random);
    loaded += survives(bytes, read_zip);
  }
  MESSAGE(count << " mutated archives, " << loaded << " of them opened");
  CHECK(loaded > count / 20);
  CHECK(loaded < count);
}

TEST_CASE("pytorch: files that ask for too much are refused within the limits") {
  const std::vector<Storage> storages = {{"0", Bytes(96, 7), 4}};
  const std::string floats = storage("FloatStorage", "0", 24), zero(1, '\0');
  const auto both = [&](const std::string& value) {
    const bool zip = survives(zip_form(pickle(value), storages), read_pth);
    CHECK(survives(stream_form(pickle(value), storages), read_pth) == zip);
    return zip;
  };
  const auto repeated = [](const std::string& what, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += what;
    return out;
  };
  constexpr int many = 1'000'000;
  for (const char* op : {"]", ")", "}", "N", "(", "K\x01", "\x8f", "]a", "N0", "(t", "(l", "N2"})
    both(repeated(op, many));
  both(repeated("]", many) + repeated("a", many));
  both(repeated("N\x85", many));  // ((((...))))
  both("N" + repeated("\x85", many));
  both(text("x") + "q" + zero + repeated("h" + zero, many));
  both(repeated("Nq" + zero, many));
  both(repeated("N\x94", many));
  std::string numbered = "N";
  for (int i = 0; i < many / 4; ++i) numbered += "r" + u32(static_cast<uint64_t>(i) * 7919);
  both(numbered);
  both(repeated("ca\nb\n", many / 4));
  both(repeated("ca\nb\n)R", many / 4));
  both(repeated("NQ", many / 2));
  // One tensor under many names, many tensors of one storage, and names that are long.
  const std::string weight = tensor(floats, {.sizes = {24}, .strides = {1}});
  std::string names = "}(" + text("w") + weight + "q\x01";
  for (int i = 0; i < 100'000; ++i) names += text(std::to_string(i)) + "h\x01";
  both(names + "u");
  both("}(" + text(std::string(500, 'n')) + "q\x02" + weight + "q\x01" +
       repeated("h\x02h\x01", 200'000) + "u");
  // Expanded tensors: a few bytes, a terabyte; and many that are just small enough.
  const auto expanded = [&](int64_t n) {
    return tensor(floats, {.sizes = {n, 1024}, .strides = {0, 0}});
  };
  CHECK(!both(dict({{"w", expanded(int64_t{1} << 28)}})));
  std::vector<std::pair<std::string, std::string>> large;
  for (int i = 0; i < 40; ++i) large.emplace_back(std::to_string(i), expanded(450));
  CHECK(!both(dict(large)));
  // The same list as an OrderedDict's pairs, the same module state under many names.
  std::string pairs = "](";
  for (int i = 0; i < 50'000; ++i) pairs += integer(i) + integer(i) + "\x86";
  both(pairs + "eq\x01" + repeated("ccollections\nOrderedDict\nh\x01\x85R", 50'000));
  std::string attributes = "}(";
  for (int i = 0; i < 50'000; ++i) attributes += text(std::to_string(i)) + "N";
  std::string modules = attributes + "uq\x01" + "0}(";
  for (int i = 0; i < 50'000; ++i) modules += text(std::to_string(i)) + "cm\nC\n)\x81h\x01" + "b";
  both(modules + "u");
  std::string dicts = "}(" + repeated(text("a") + "N", 50'000) + "uq\x01" + "0}(";
  for (int i = 0; i < 50'000; ++i) dicts += text(std::to_string(i)) + "h\x01";
  both(dicts + "u");
  // An archive of members that all inflate to much.
  std::vector<Storage> bombs;
  std::vector<std::pair<std::string, std::string>> entries;
  for (int i = 0; i < 80; ++i) {
    bombs.push_back({std::to_string(i), Bytes(1 << 20), 1});
    entries.emplace_back(std::to_string(i),
                         tensor(storage("ByteStorage", std::to_string(i), 1 << 20),
                                {.sizes = {1 << 20}, .strides = {1}}));
  }
  CHECK(!survives(zip_form(pickle(dict(entries)), bombs, {.deflate = true}), read_pth));
  // Ten thousand members that share their bytes: the second header lies within the first's data.
  std::vector<ZipWriterMember> members;
  for (int i = 0; i < 20'000; ++i)
    members.push_back({.name = std::to_string(i), .content = Bytes(20)});
  Bytes overlapping = write_zip(members);
  for (size_t at = 0; at + 46 < overlapping.size(); ++at)
    if (std::memcmp(&overlapping[at], "PK\1\2", 4) == 0)
      for (size_t field : {20, 24}) std::memcpy(&overlapping[at + field], u32(400'000).data(), 4);
  CHECK(!survives(overlapping, read_zip));
}
