#include "limbic/weights/pytorch/pickle_reader.h"

#include <bit>
#include <cstring>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "pickles are little-endian");

// The opcodes of protocols 2 to 5, under the names of Python's pickletools.
enum Op : uint8_t {
  MARK = '(',
  STOP = '.',
  POP = '0',
  POP_MARK = '1',
  DUP = '2',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  NONE = 'N',
  BINPERSID = 'Q',
  REDUCE = 'R',
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  BINUNICODE = 'X',
  APPEND = 'a',
  BUILD = 'b',
  GLOBAL = 'c',
  DICT = 'd',
  EMPTY_DICT = '}',
  APPENDS = 'e',
  BINGET = 'h',
  LONG_BINGET = 'j',
  LIST = 'l',
  EMPTY_LIST = ']',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  SETITEM = 's',
  TUPLE = 't',
  EMPTY_TUPLE = ')',
  SETITEMS = 'u',
  BINFLOAT = 'G',
  BINBYTES = 'B',
  SHORT_BINBYTES = 'C',
  PROTO = 0x80,
  NEWOBJ = 0x81,
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
  LONG4 = 0x8b,
  SHORT_BINUNICODE = 0x8c,
  BINUNICODE8 = 0x8d,
  BINBYTES8 = 0x8e,
  EMPTY_SET = 0x8f,
  ADDITEMS = 0x90,
  FROZENSET = 0x91,
  NEWOBJ_EX = 0x92,
  STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94,
  FRAME = 0x95,
  BYTEARRAY8 = 0x96
};

// What a value, a node, a mark and a memo entry take at most, with what growing a vector or a hash
// table copies and the allocator adds.
constexpr uint64_t value_bytes = 48, node_bytes = 64, mark_bytes = 24, memo_bytes = 80;

}  // namespace

void PickleReader::read() {
  for (;;) {
    op_at_ = at_;
    const auto op = argument<uint8_t>();
    if (op == STOP) break;
    if (op == PROTO) {
      const int version = argument<uint8_t>();
      if (version > 5) damaged("protocol ", version, ", expected 2 to 5");
    } else if (op == FRAME) {
      const auto size = argument<uint64_t>();
      if (size > out_.bytes_.size() - at_) damaged("a frame of ", size, " bytes");
    } else if (!number(op) && !text(op) && !stack_or_memo(op) && !collection(op) && !object(op)) {
      if (!out_.bytes_.starts_with('\x80'))
        fail(path_,
             ": its pickle is of protocol 0 or 1, which are not read; in PyTorch, load it and "
             "torch.save it again without pickle_protocol");
      damaged("opcode ", int{op}, ", which protocols 2 to 5 do not have");
    }
  }
  out_.root_ = pop();
  out_.size_ = at_;
}

bool PickleReader::number(uint8_t op) {
  Value value{.kind = Kind::integer};
  switch (op) {
    case NONE:
      value.kind = Kind::none;
      break;
    case NEWTRUE:
    case NEWFALSE:
      value.kind = Kind::boolean;
      value.integer = op == NEWTRUE;
      break;
    case BININT:
      value.integer = argument<int32_t>();
      break;
    case BININT1:
      value.integer = argument<uint8_t>();
      break;
    case BININT2:
      value.integer = argument<uint16_t>();
      break;
    case BINFLOAT:  // the only big-endian argument
      value.kind = Kind::real;
      value.real = std::bit_cast<double>(__builtin_bswap64(argument<uint64_t>()));
      break;
    case LONG1:
      make_long(argument<uint8_t>());
      return true;
    case LONG4:
      make_long(argument<uint32_t>());
      return true;
    default:
      return false;
  }
  push(value);
  return true;
}

// Two's complement, little-endian, of any length.
void PickleReader::make_long(uint64_t size) {
  const uint64_t begin = skip(size);
  if (size > 8) {
    at_ = begin;
    return push(text_value(size, Kind::big_integer));
  }
  uint64_t bits = 0;
  if (size > 0) std::memcpy(&bits, out_.bytes_.data() + begin, size);
  const auto unused = static_cast<int>(64 - 8 * size);
  push({.kind = Kind::integer,
        .integer = size == 0 ? 0 : static_cast<int64_t>(bits << unused) >> unused});
}

bool PickleReader::text(uint8_t op) {
  switch (op) {
    case SHORT_BINSTRING:
    case SHORT_BINBYTES:
    case SHORT_BINUNICODE:
      push(text_value(argument<uint8_t>()));
      return true;
    case BINSTRING:
    case BINBYTES:
    case BINUNICODE:
      push(text_value(argument<uint32_t>()));
      return true;
    case BINBYTES8:
    case BINUNICODE8:
    case BYTEARRAY8:
      push(text_value(argument<uint64_t>()));
      return true;
    default:
      return false;
  }
}

bool PickleReader::stack_or_memo(uint8_t op) {
  switch (op) {
    case MARK:
      budget_.take(mark_bytes, "its pickle");
      marks_.push_back(stack_.size());
      return true;
    case POP:  // of a mark, where that is on top
      if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
      else
        pop();
      return true;
    case POP_MARK:
      pop_to_mark();
      return true;
    case DUP:
      push(Value(top()));
      return true;
    case BINPUT:
      put(argument<uint8_t>());
      return true;
    case LONG_BINPUT:
      put(argument<uint32_t>());
      return true;
    case MEMOIZE:
      put(memo_.size());
      return true;
    case BINGET:
      get(argument<uint8_t>());
      return true;
    case LONG_BINGET:
      get(argument<uint32_t>());
      return true;
    default:
      return false;
  }
}

bool PickleReader::collection(uint8_t op) {
  switch (op) {
    case EMPTY_TUPLE:
      push(make(Kind::tuple, {}));
      return true;
    case EMPTY_LIST:
    case EMPTY_SET:
      push(make(Kind::list, {}));
      return true;
    case EMPTY_DICT:
      push(make(Kind::dict, {}));
      return true;
    case TUPLE1:
    case TUPLE2:
    case TUPLE3: {
      Values items(op - TUPLE1 + 1u);
      for (size_t i = items.size(); i-- > 0;) items[i] = pop();
      push(make(Kind::tuple, std::move(items)));
      return true;
    }
    case TUPLE:
    case FROZENSET:
      push(make(Kind::tuple, pop_to_mark()));
      return true;
    case LIST:
      push(make(Kind::list, pop_to_mark()));
      return true;
    case DICT: {
      const Value dict = make(Kind::dict, {});
      append(dict, pop_to_mark());
      push(dict);
      return true;
    }
    case APPEND: {
      const Value item = pop();
      append(top(), {item});
      return true;
    }
    case SETITEM: {
      const Value value = pop(), key = pop();
      append(top(), {key, value});
      return true;
    }
    case APPENDS:
    case ADDITEMS:
    case SETITEMS: {
      const Values items = pop_to_mark();
      append(top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool PickleReader::object(uint8_t op) {
  switch (op) {
    case GLOBAL: {
      const Value module = line();
      push(make(Kind::global, {module, line()}));
      return true;
    }
    case STACK_GLOBAL: {
      const Value name = pop(), module = pop();
      if (module.kind != Kind::text || name.kind != Kind::text) damaged("a global without a name");
      push(make(Kind::global, {module, name}));
      return true;
    }
    case BINPERSID: {
      const Value id = pop();
      const Value value = make(Kind::persistent, {id});
      out_.nodes_.back().holds_persistent = true;
      out_.persistent_.push_back(value);
      push(value);
      return true;
    }
    case NEWOBJ_EX:
      pop();  // named arguments
      [[fallthrough]];
    case REDUCE:
    case NEWOBJ: {
      const Value arguments = pop(), callable = pop();
      call(callable, {callable, arguments});
      return true;
    }
    case BUILD: {  // an attribute of a dictionary (OrderedDict's _metadata) is of no interest
      const Value state = pop();
      if (top().kind == Kind::object) append(top(), {state});
      return true;
    }
    default:
      return false;
  }
}

void PickleReader::call(Value callable, Values made) {
  if (!is_dict_type(callable)) return push(make(Kind::object, std::move(made)));
  const Value dict = make(Kind::dict, {});
  if (!out_.is_global(callable, "", "defaultdict")) add_pairs(dict, made[1]);
  push(dict);
}

bool PickleReader::is_dict_type(Value callable) const {
  return out_.is_global(callable, "collections", "OrderedDict") ||
         out_.is_global(callable, "collections", "defaultdict") ||
         out_.is_global(callable, "builtins", "dict") ||
         out_.is_global(callable, "__builtin__", "dict");
}

// Python 2 makes an OrderedDict from one list of [key, value] lists.
void PickleReader::add_pairs(Value dict, Value arguments) {
  const auto list = out_.items(arguments);
  if (list.empty()) return;
  const auto pairs = out_.items(list[0]);
  budget_.take(pairs.size() * 2 * value_bytes, "its pickle");
  for (Value pair : pairs) {
    const auto both = out_.items(pair);
    if (both.size() != 2) damaged("an OrderedDict of something else than pairs");
    append(dict, {both[0], both[1]});
  }
}

// Elements of a list, pairs of a dictionary. What is added to anything else matters to nobody, but
// tensors within it make it depend on them.
void PickleReader::append(Value to, const Values& items) {
  if (!out_.is_node(to)) damaged("an element for something that has none");
  auto& node = out_.nodes_[to.at];
  if (to.kind == Kind::dict && items.size() % 2 != 0) damaged("a key without a value");
  if (to.kind == Kind::list || to.kind == Kind::dict || to.kind == Kind::object)
    node.items.insert(node.items.end(), items.begin(), items.end());
  for (Value item : items) node.holds_persistent |= out_.holds_persistent(item);
}

PickleValue PickleReader::make(Kind kind, Values items) {
  budget_.take(node_bytes + value_bytes, "its pickle");
  auto& node = out_.nodes_.emplace_back();
  for (Value item : items) node.holds_persistent |= out_.holds_persistent(item);
  node.items = std::move(items);
  return {.kind = kind, .at = out_.nodes_.size() - 1};
}

void PickleReader::push(Value value) {
  budget_.take(value_bytes, "its pickle");
  stack_.push_back(value);
}

PickleValue PickleReader::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

PickleValue& PickleReader::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("nothing on its stack");
  return stack_.back();
}

PickleReader::Values PickleReader::pop_to_mark() {
  if (marks_.empty()) damaged("no mark on its stack");
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  Values out(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return out;
}

void PickleReader::put(uint64_t number) {
  budget_.take(memo_bytes, "its pickle");
  memo_.insert_or_assign(number, top());
}

void PickleReader::get(uint64_t number) {
  const auto found = memo_.find(number);
  if (found == memo_.end()) damaged("no value number ", number);
  push(found->second);
}

template <class T>
T PickleReader::argument() {
  T value;
  std::memcpy(&value, out_.bytes_.data() + skip(sizeof value), sizeof value);
  return value;
}

// Where the next `bytes` bytes begin, having gone behind them.
uint64_t PickleReader::skip(uint64_t bytes) {
  if (bytes > out_.bytes_.size() - at_) damaged("its end, expected ", bytes, " bytes more");
  at_ += bytes;
  return at_ - bytes;
}

PickleValue PickleReader::line() {
  const size_t end = out_.bytes_.find('\n', at_);
  if (end == std::string_view::npos) damaged("its end, expected a name");
  const Value out = text_value(end - at_);
  ++at_;
  return out;
}

PickleValue PickleReader::text_value(uint64_t size, Kind kind) {
  if (size > UINT32_MAX) damaged("a text of ", size, " bytes");
  const uint64_t begin = skip(size);
  return {.kind = kind, .size = static_cast<uint32_t>(size), .at = begin};
}

template <class... Args>
void PickleReader::damaged(const Args&... what) const {
  fail(path_, ": its pickle has ", what..., " at byte ", op_at_,
       "; the file is cut or damaged, fetch it again");
}

}  // namespace limbic::weights
