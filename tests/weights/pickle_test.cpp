#include "limbic/weights/pytorch/pickle.h"

#include <doctest/doctest.h>

#include "tests/weights/pth_writer.h"

using namespace limbic;
using namespace limbic::weights;
using namespace limbic::pickled;
using Kind = PickleValue::Kind;

namespace {

// A pickle with its bytes.
struct Read {
  explicit Read(std::string all)
      : bytes(std::move(all)), budget(bytes.size(), "x"), pickle(bytes, budget, "x") {}
  std::string bytes;
  Budget budget;
  Pickle pickle;
};

std::string error_of(const std::string& bytes) {
  try {
    Read read{bytes};
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("x: its pickle"));
    CHECK(message.find('\n') == std::string::npos);
    return message;
  }
  return "no error";
}

void contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

int64_t integer_of(const std::string& opcodes) {
  const Read read(pickle(opcodes));
  CHECK(read.pickle.root().kind == Kind::integer);
  return read.pickle.root().integer;
}

// The value as a Python expression: what the tests below compare.
std::string shown(const Pickle& p, PickleValue v) {
  const auto joined = [&](const char* open, const char* close) {
    std::string out = open;
    for (PickleValue item : p.items(v)) out += shown(p, item) + ",";
    return out + close;
  };
  switch (v.kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return v.integer ? "True" : "False";
    case Kind::integer:
      return std::to_string(v.integer);
    case Kind::real:
      return str_cat(v.real);
    case Kind::text:
      return "'" + std::string(p.text(v)) + "'";
    case Kind::big_integer:
      return str_cat("big ", p.text(v).size());
    case Kind::tuple:
      return joined("(", ")");
    case Kind::list:
      return joined("[", "]");
    case Kind::dict:
      return joined("{", "}");
    case Kind::global:
      return joined("global(", ")");
    case Kind::object:
      return joined("object(", ")");
    case Kind::persistent:
      return joined("persistent(", ")");
  }
  return "?";
}

std::string shown(const std::string& opcodes, int protocol = 2) {
  const Read read(pickle(opcodes, protocol));
  CHECK(read.pickle.size() == read.bytes.size());
  return shown(read.pickle, read.pickle.root());
}

}  // namespace

TEST_CASE("pickle: numbers") {
  CHECK(shown(none()) == "None");
  CHECK(shown(tuple({boolean(true), boolean(false)})) == "(True,False,)");
  for (int64_t value : {int64_t{0}, int64_t{255}, int64_t{256}, int64_t{65535}, int64_t{65536},
                        int64_t{-1}, int64_t{INT32_MIN}, int64_t{1} << 40, INT64_MIN, INT64_MAX})
    CHECK(integer_of(integer(value)) == value);
  CHECK(integer_of(std::string("\x8a\0", 2)) == 0);
  CHECK(integer_of("\x8a\x01\xff") == -1);
  CHECK(integer_of(std::string("\x8a\x02\xff\x00", 4)) == 255);
  CHECK(integer_of("\x8b" + u32(3) + std::string("\0\0\x80", 3)) == -8388608);
  CHECK(shown("\x8a\x09" + std::string(9, 'x')) == "big 9");
  CHECK(shown("\x8b" + u32(300) + std::string(300, 'x')) == "big 300");
  CHECK(shown(real(-2.5)) == "-2.5");
}

TEST_CASE("pickle: text of every opcode") {
  for (const std::string opcode : {"U", "C", "\x8c"})
    CHECK(shown(opcode + "\x03" + "abc", 4) == "'abc'");
  for (const std::string opcode : {"T", "B", "X"}) CHECK(shown(opcode + u32(3) + "abc") == "'abc'");
  for (const std::string opcode : {"\x8d", "\x8e", "\x96"})
    CHECK(shown(opcode + u64(3) + "abc", 5) == "'abc'");
}

TEST_CASE("pickle: collections") {
  const std::string a = integer(1), b = text("b");
  CHECK(shown(")") == "()");
  CHECK(shown(a + "\x85") == "(1,)");
  CHECK(shown(a + b + "\x86") == "(1,'b',)");
  CHECK(shown(a + b + a + "\x87") == "(1,'b',1,)");
  CHECK(shown(tuple({a, tuple({}), b})) == "(1,(),'b',)");
  CHECK(shown("](" + a + b + "e" + a + "a") == "[1,'b',1,]");
  CHECK(shown("(" + a + b + "l") == "[1,'b',]");
  CHECK(shown("}" + b + a + "s" + "(" + a + a + a + b + "u") == "{'b',1,1,1,1,'b',}");
  CHECK(shown("(" + b + a + "d") == "{'b',1,}");
  CHECK(shown("\x8f(" + a + b + "\x90", 4) == "[1,'b',]");
  CHECK(shown("(" + a + b + "\x91", 4) == "(1,'b',)");
}

TEST_CASE("pickle: stack, memo and frames") {
  const std::string a = integer(1), b = text("b");
  CHECK(shown(a + b + "0") == "1");
  CHECK(shown(a + "(" + b + b + "1") == "1");
  CHECK(shown(a + "(0") == "1");
  CHECK(shown(a + "2\x86") == "(1,1,)");
  CHECK(shown(b + "q\x07" + "0h\x07") == "'b'");
  CHECK(shown(b + "r" + u32(70000) + "0j" + u32(70000)) == "'b'");
  CHECK(
      shown("\x95" + u64(0) + b + "\x94" + a + "\x94" + "00h" + std::string(1, '\0') + "h\x01\x86",
            4) == "('b',1,)");
  CHECK(shown("]q\x01" + a + "ah\x01\x86") == "([1,],[1,],)");  // one list, seen twice
}

TEST_CASE("pickle: nothing is called, dictionaries are understood") {
  CHECK(shown(global("os", "system")) == "global('os','system',)");
  CHECK(shown(text("os") + text("system") + "\x93", 4) == "global('os','system',)");
  CHECK(shown(reduce(global("os", "system"), {text("ls")})) ==
        "object(global('os','system',),('ls',),)");
  CHECK(shown(global("m", "C") + ")\x81" + dict({{"a", integer(1)}}) + "b") ==
        "object(global('m','C',),(),{'a',1,},)");
  CHECK(shown(global("m", "C") + ")}\x92", 4) == "object(global('m','C',),(),)");
  const std::string ordered = global("collections", "OrderedDict");
  CHECK(shown(ordered + ")R" + "}b" + text("k") + integer(2) + "s") == "{'k',2,}");
  CHECK(shown(reduce(ordered, {list({list({text("k"), integer(2)})})})) == "{'k',2,}");
  CHECK(shown(reduce(global("collections", "defaultdict"), {global("builtins", "list")}) +
              text("k") + none() + "s") == "{'k',None,}");
  CHECK(shown(reduce(global("__builtin__", "dict"), {})) == "{}");
  const Read read(pickle(tuple({persistent(text("id")), reduce(global("f", "g"), {none()})})));
  const auto items = read.pickle.items(read.pickle.root());
  CHECK(read.pickle.persistent().size() == 1);
  CHECK(read.pickle.holds_persistent(read.pickle.root()));
  CHECK(read.pickle.holds_persistent(items[0]));
  CHECK(!read.pickle.holds_persistent(items[1]));
  CHECK(read.pickle.name_of(items[1]) == "'f.g'");
  CHECK(read.pickle.name_of(items[0]) == "something");
}

TEST_CASE("pickle: names of classes, keys of dictionaries") {
  const std::string module = global("copy_reg", "_reconstructor");
  const Read read(pickle(dict({{"a", reduce(module, {global("m", "Net"), none()})},
                               {"b", persistent(tuple({text("module"), global("m", "Old")}))},
                               {"a", integer(3)}})));
  const Pickle& p = read.pickle;
  CHECK(p.find(p.root(), "a")->integer == 3);  // the last one holds
  CHECK(p.find(p.root(), "c") == nullptr);
  CHECK(p.find(*p.find(p.root(), "b"), "a") == nullptr);
  CHECK(p.name_of(p.items(p.root())[1]) == "'m.Net'");
  CHECK(p.name_of(*p.find(p.root(), "b")) == "'m.Old'");
}

TEST_CASE("pickle: what is damaged is named with its place") {
  const std::string a = integer(1);
  contains(error_of(""), "its end, expected 1 bytes more at byte 0");
  contains(error_of("\x80\x02"), "its end");
  contains(error_of("\x80\x06."), "protocol 6, expected 2 to 5");
  contains(error_of("\x80\x02I1\n."), "opcode 73, which protocols 2 to 5 do not have at byte 2");
  contains(error_of(pickle("")), "nothing on its stack at byte 2");
  contains(error_of(pickle("(" + a + "t0")), "nothing on its stack");
  contains(error_of(pickle(a + "(R")), "nothing on its stack");
  contains(error_of(pickle(a + "t")), "no mark");
  contains(error_of(pickle(a + a + "a")), "an element for something that has none");
  contains(error_of(pickle("}(" + a + "u")), "a key without a value");
  contains(error_of(pickle("h\x01")), "no value number 1");
  contains(error_of(pickle(a + a + "\x93")), "a global without a name");
  contains(error_of(pickle("cos")), "expected a name");
  contains(error_of(pickle("X" + u32(UINT32_MAX))), "expected 4294967295 bytes more");
  contains(error_of(pickle("\x8d" + u64(UINT64_MAX))), "a text of 18446744073709551615 bytes");
  contains(error_of(pickle("\x8b" + u32(UINT32_MAX))), "expected 4294967295 bytes more");
  contains(error_of(pickle("\x95" + u64(99))), "a frame of 99 bytes");
  contains(error_of(pickle(reduce(global("collections", "OrderedDict"), {list({a})}))),
           "something else than pairs");
}

TEST_CASE("pickle: what a few bytes repeat takes no more memory than the file may") {
  std::string deep(1'000'000, ']');
  contains(error_of(pickle(deep)), "more memory than a file of its size may");
  deep = "]";
  for (int i = 0; i < 200'000; ++i) deep += "]a";  // an element each: depth 1
  CHECK(error_of(pickle(deep)) == "no error");
  std::string nested(200'000, ']');
  nested += std::string(199'999, 'a');  // a list within a list within a list
  CHECK(error_of(pickle(nested)) == "no error");
  std::string laughs = text("ha") + "q" + std::string(1, '\0');
  for (char i = 0; i < 100; ++i) {  // ten of the one before: 10^100 elements, described by 4 KB
    laughs += "](";
    for (int k = 0; k < 10; ++k) laughs += std::string("h") + i;
    laughs += std::string("eq") + static_cast<char>(i + 1);
  }
  CHECK(error_of(pickle(laughs)) == "no error");
  std::string copies = "]q\x01(";  // one list of pairs, an OrderedDict of it again and again
  for (int i = 0; i < 2000; ++i) copies += integer(i) + integer(i) + "\x86";
  copies += "e";
  for (int i = 0; i < 2000; ++i) copies += "ccollections\nOrderedDict\nh\x01\x85R";
  contains(error_of(pickle(copies)), "more memory than a file of its size may");
}
