#include "limbic/weights/pytorch/pytorch.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "limbic/weights/header.h"
#include "limbic/weights/pytorch/pickle.h"
#include "limbic/weights/pytorch/state_dict.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

using Kind = PickleValue::Kind;

// What the stream form begins with, as its first pickle spells it: 0x1950a86a20f9469cfc6c.
constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t stream_protocol = 1001;
constexpr std::string_view pickle_name = "data.pkl";

bool is_tar(std::string_view bytes) {
  return bytes.size() > 262 && bytes.substr(257, 5) == "ustar";
}

// PROTO, a frame (protocol 4 and 5) of at most 9 bytes, LONG1, its size.
bool is_stream(std::string_view bytes) {
  return bytes.starts_with('\x80') && bytes.substr(0, 32).find(magic) != std::string_view::npos;
}

// "STEM/data.pkl", the stem being one folder or none.
bool is_pickle_name(std::string_view name) {
  return name == pickle_name ||
         (name.ends_with("/data.pkl") && name.find('/') == name.size() - pickle_name.size() - 1);
}

const ZipMember* find_pickle(const ZipArchive& archive) {
  const auto& all = archive.members();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [](const ZipMember& m) { return is_pickle_name(m.name); });
  return found == all.end() ? nullptr : &*found;
}

MappedFile read_member(const ZipArchive& archive, const ZipMember& member, Budget& budget,
                       bool verify = true) {
  MappedFile out = archive.read(member, budget.left(), verify);
  if (member.method != 0) budget.take(member.size, "what its members inflate to");
  return out;
}

StateDict read_zip(const MappedFile& file, Budget& budget, const std::string& state, bool verify) {
  const ZipArchive archive(file);
  budget.take(archive.members().size() * sizeof(ZipMember), "its zip directory");
  const ZipMember* member = find_pickle(archive);
  require(member != nullptr, file.path, ": a zip archive without ", pickle_name,
          ", not written by torch.save");
  const std::string stem(member->name.substr(0, member->name.size() - pickle_name.size()));
  require(!archive.find(stem + "constants.pkl"), file.path,
          ": a TorchScript program; in PyTorch, torch.save(model.state_dict(), ...)");
  if (const ZipMember* order = archive.find(stem + "byteorder"))
    require(text_of(read_member(archive, *order, budget)).starts_with("little"), file.path,
            ": its numbers are big-endian; load and save it on a little-endian machine");

  const MappedFile data = read_member(archive, *member, budget);
  const Pickle pickle(text_of(data), budget, data.path);
  TensorRebuilder rebuilder(pickle, budget, [&](const StorageId& id) {
    const ZipMember* storage = archive.find(str_cat(stem, "data/", id.key));
    require(storage != nullptr, file.path, ": storage ", in_quotes(id.key),
            " is not in the archive; it is damaged, fetch it again");
    require(storage->size == id.bytes(), file.path, ": storage ", in_quotes(id.key), " has ",
            storage->size, " bytes, expected ", id.bytes(), "; it is damaged, fetch it again");
    return read_member(archive, *storage, budget, verify);
  });
  return read_state_dict(pickle, rebuilder, budget, file.path, state);
}

// The stream form: five pickles, then the storages in the order of the fifth.
class Stream {
 public:
  Stream(const MappedFile& file, Budget& budget) : file_(file), budget_(budget) {}

  StateDict read(const std::string& state) {
    const Pickle first = next();
    require(first.text(first.root()) == magic, file_.path, ": not written by torch.save");
    const Pickle protocol = next();
    require(protocol.root().kind == Kind::integer && protocol.root().integer == stream_protocol,
            file_.path, ": expected protocol ", stream_protocol, " of torch.save");
    const Pickle system = next();
    const PickleValue* little = system.find(system.root(), "little_endian");
    require(little && little->kind == Kind::boolean && little->integer == 1, file_.path,
            ": its numbers are big-endian; load and save it on a little-endian machine");
    const Pickle object = next();
    const Pickle keys = next();
    find_storages(object, keys);
    TensorRebuilder rebuilder(object, budget_, [&](const StorageId& id) { return locate(id); });
    return read_state_dict(object, rebuilder, budget_, file_.path, state);
  }

 private:
  Pickle next() {
    Pickle out(text_of(file_).substr(at_), budget_, file_.path);
    at_ += out.size();
    return out;
  }

  std::string where(std::string_view key) const {
    return str_cat(file_.path, ": storage ", in_quotes(key), ": ");
  }

  // Each storage is its number of elements (i64), then these; how large one is only the object
  // says.
  void find_storages(const Pickle& object, const Pickle& keys) {
    std::map<std::string, uint64_t, std::less<>> sizes;
    for (PickleValue value : object.persistent()) {
      const auto id = object.items(object.items(value)[0]);
      if (id.empty() || object.text(id[0]) != "storage") continue;  // a module's source code
      budget_.take(256, "its storages");
      const StorageId storage = parse_storage_id(object, value, file_.path + ": a storage: ");
      sizes.insert_or_assign(storage.key, static_cast<uint64_t>(size_of(storage.dtype)));
    }
    const std::span<uint8_t> bytes = file_.bytes;
    for (PickleValue value : keys.items(keys.root())) {
      const std::string_view key = keys.text(value);
      const auto size = sizes.find(key);
      require(size != sizes.end(), where(key), "is in the list, but no tensor has it");
      uint64_t elements = 0, total = 0;
      require(bytes.size() - at_ >= sizeof elements, where(key), "is cut; fetch the file again");
      std::memcpy(&elements, bytes.data() + at_, sizeof elements);
      at_ += sizeof elements;
      require(
          !__builtin_mul_overflow(elements, size->second, &total) && total <= bytes.size() - at_,
          where(key), elements, " elements do not fit the file of ", bytes.size(),
          " bytes; it is cut or damaged, fetch it again");
      budget_.take(256, "its storages");
      require(storages_.emplace(key, bytes.subspan(at_, total)).second, where(key),
              "is there twice");
      at_ += total;
    }
  }

  MappedFile locate(const StorageId& id) const {
    const auto found = storages_.find(id.key);
    require(found != storages_.end(), where(id.key), "is missing; fetch the file again");
    require(found->second.size() == id.bytes(), where(id.key), "has ", found->second.size(),
            " bytes, expected ", id.bytes(), "; the file is damaged, fetch it again");
    return {file_.owner, found->second, file_.path};
  }

  const MappedFile& file_;
  Budget& budget_;
  size_t at_ = 0;
  std::map<std::string, std::span<uint8_t>, std::less<>> storages_;
};

}  // namespace

bool is_pytorch(const MappedFile& file) {
  const std::string_view bytes = text_of(file);
  if (is_zip(bytes)) return find_pickle(ZipArchive(file)) != nullptr;
  return is_stream(bytes) || is_tar(bytes);
}

PytorchFile parse_pytorch(const MappedFile& file, const std::string& state, bool verify) {
  const std::string_view bytes = text_of(file);
  Budget budget(bytes.size(), file.path);
  const auto with_file = [&](StateDict read) {
    return PytorchFile{std::move(read.tensors), file,
                       std::move(read.states),  std::move(read.remark),
                       read.wanted_found,       std::move(read.classes)};
  };
  if (is_zip(bytes)) return with_file(read_zip(file, budget, state, verify));
  require(!is_tar(bytes), file.path,
          bytes.substr(0, 1 << 12).find("sys_info") != bytes.npos
              ? ": a tar archive, as PyTorch wrote before 0.2; load it with PyTorch once and "
                "torch.save it again"
              : ": a tar archive; unpack it and give the checkpoint in it");
  require(is_stream(bytes), file.path, ": not written by torch.save");
  return with_file(Stream(file, budget).read(state));
}

}  // namespace limbic::weights
