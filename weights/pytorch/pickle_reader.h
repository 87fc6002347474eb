#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "limbic/weights/pytorch/pickle.h"

namespace limbic::weights {

/// The stack machine that a pickle is a program for: each opcode pushes, pops or joins values, and
/// "puts" one under a number from which it can be got again. It fills a Pickle.
class PickleReader {
 public:
  PickleReader(Pickle& into, Budget& budget, std::string path)
      : out_(into), budget_(budget), path_(std::move(path)) {}

  void read();

 private:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;
  using Values = std::vector<Value>;

  // Each handles the opcodes of one kind and returns false for all others.
  bool number(uint8_t op);
  bool text(uint8_t op);
  bool stack_or_memo(uint8_t op);
  bool collection(uint8_t op);
  bool object(uint8_t op);

  template <class T>
  T argument();
  uint64_t skip(uint64_t bytes);
  Value line();
  Value text_value(uint64_t size, Kind kind = Kind::text);

  void push(Value value);
  Value pop();
  Value& top();
  Values pop_to_mark();
  void put(uint64_t number);
  void get(uint64_t number);

  Value make(Kind kind, Values items);
  void make_long(uint64_t size);
  void append(Value to, const Values& items);
  void call(Value callable, Values arguments);
  bool is_dict_type(Value callable) const;
  void add_pairs(Value dict, Value arguments);

  template <class... Args>
  [[noreturn]] void damaged(const Args&... what) const;

  Pickle& out_;
  Budget& budget_;
  std::string path_;
  uint64_t at_ = 0, op_at_ = 0;
  Values stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, Value> memo_;
};

}  // namespace limbic::weights
