#include "limbic/weights/hdf5/object.h"

#include <algorithm>
#include <string_view>

namespace limbic::weights {
namespace {

constexpr const char* superblock = "HDF5 superblock";
constexpr const char* header = "HDF5 object header";
constexpr size_t max_messages = 65536, max_blocks = 4096;

// A stretch of messages that is still to be read.
struct Block {
  uint64_t address, size;
};

// Collects the messages of one object, block after block.
class Reader {
 public:
  explicit Reader(const Hdf5Bytes& file, uint64_t address) : file_(file), address_(address) {}

  std::vector<Hdf5Message> read() {
    const auto start = file_.at(address_, 4, header);
    const std::string_view signature(reinterpret_cast<const char*>(start.data()), 4);
    const bool second = signature == "OHDR";
    if (second)
      read_version_2();
    else
      read_version_1();
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const Block block = blocks_[i];
      if (second)
        read_continuation(block);
      else
        read_messages(file_.at(block.address, block.size, header), block.address, 8);
    }
    return std::move(messages_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(const Args&... args) const {
    file_.refuse(header, address_, args...);
  }

  void read_version_1() {
    Hdf5Cursor in(file_, file_.at(address_, 16, header), address_, header);
    in.version(1);
    in.skip(7);  // reserved, number of messages, number of links to this object
    const uint64_t size = in.u32();
    read_messages(file_.at(address_ + 16, size, header), address_ + 16, 8);
  }

  void read_version_2() {
    const auto rest = file_.rest(address_, header);
    Hdf5Cursor in(file_, rest, address_, header);
    in.signature("OHDR");
    in.version(2);
    const int flags = in.u8();
    if (flags & 0x20) in.skip(16);  // four times
    if (flags & 0x10) in.skip(4);   // when attributes become dense
    const uint64_t size = in.number(uint64_t{1} << (flags & 3));
    const uint64_t at = in.position();
    in.skip(size);
    in.skip(4);
    file_.work(in.position());
    file_.check_sum(rest.first(in.position()), address_, header);
    prefix_ = flags & 4 ? 6 : 4;
    read_messages(rest.subspan(at, size), address_, prefix_);
  }

  void read_continuation(const Block& block) {
    const auto bytes = file_.at(block.address, block.size, header);
    Hdf5Cursor in(file_, bytes, block.address, header);
    in.signature("OCHK");
    file_.check_sum(bytes, block.address, header);
    if (bytes.size() < 8) refuse("has a continuation of ", bytes.size(), " bytes");
    read_messages(bytes.subspan(4, bytes.size() - 8), block.address, prefix_);
  }

  // `prefix`: bytes before each message's body; version 1 has 8. Less than that at the end is a
  // gap.
  void read_messages(std::span<const uint8_t> bytes, uint64_t address, uint64_t prefix) {
    Hdf5Cursor in(file_, bytes, address, header);
    while (in.left() >= prefix) {
      Hdf5Message message;
      message.kind = static_cast<Hdf5Kind>(prefix == 8 ? in.u16() : in.u8());
      const uint64_t size = in.u16();
      message.shared = (in.u8() & 2) != 0;
      in.skip(prefix == 8 ? 3 : prefix - 4);
      message.body = in.take(size);
      message.address = address_;
      if (message.kind == Hdf5Kind::nil) continue;
      if (message.kind == Hdf5Kind::continuation) {
        Hdf5Cursor where(file_, message.body, address, header);
        const uint64_t next = where.u64();
        if (blocks_.size() == max_blocks) refuse("has over ", max_blocks, " continuations");
        blocks_.push_back({next, where.u64()});
        continue;
      }
      if (messages_.size() == max_messages) refuse("has over ", max_messages, " messages");
      messages_.push_back(message);
    }
  }

  const Hdf5Bytes& file_;
  uint64_t address_, prefix_ = 4;
  std::vector<Block> blocks_;
  std::vector<Hdf5Message> messages_;
};

void check_sizes(Hdf5Cursor& in) {
  const int offsets = in.u8(), lengths = in.u8();
  if (offsets != 8 || lengths != 8)
    in.refuse("has addresses of ", offsets, " and lengths of ", lengths,
              " bytes, expected 8 and 8, as Keras writes");
}

}  // namespace

uint64_t hdf5_root(const Hdf5Bytes& file) {
  Hdf5Cursor in(file, file.rest(0, superblock), 0, superblock);
  in.signature("\x89HDF\r\n\x1a\n");
  const int version = in.u8();
  if (version > 3) in.refuse("has version ", version, ", expected 0 to 3");
  uint64_t base = 0, root = 0;
  if (version < 2) {
    in.skip(4);
    check_sizes(in);
    in.skip(version == 0 ? 9 : 13);  // B-tree sizes and flags
    base = in.u64();
    in.skip(32);  // free space, end of file, driver; the root's name
    root = in.u64();
  } else {
    check_sizes(in);
    in.skip(1);
    base = in.u64();
    in.skip(16);  // extension, end of file
    root = in.u64();
    file.check_sum(file.at(0, 48, superblock), 0, superblock);
  }
  if (base != 0) in.refuse("begins at byte ", base, " of another file, expected 0");
  return root;
}

std::vector<Hdf5Message> hdf5_object(const Hdf5Bytes& file, uint64_t address) {
  return Reader(file, address).read();
}

const Hdf5Message* find_message(const std::vector<Hdf5Message>& messages, Hdf5Kind kind) {
  const auto found = std::find_if(messages.begin(), messages.end(),
                                  [kind](const Hdf5Message& m) { return m.kind == kind; });
  return found == messages.end() ? nullptr : &*found;
}

Hdf5Cursor hdf5_cursor(const Hdf5Bytes& file, const Hdf5Message& message, const char* what) {
  if (message.shared)
    file.refuse(what, message.address,
                "is stored elsewhere in the file (a committed type), which Keras does not do");
  return {file, message.body, message.address, what};
}

}  // namespace limbic::weights
