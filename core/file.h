#pragma once
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace limbic {

/// Writes a file so that a crash, a full disk or an exception never leaves half of one: `write`
/// fills a temporary file beside `path`, which is flushed to disk and then renamed over it. A file
/// that is replaced hands on its mode; one that is read-only is not replaced. Of a link the target
/// is replaced; pipes and devices, and all in /dev and /proc, are written into. Numbers are written
/// in the classic locale. Throws Error with the path and the system's reason.
void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write);

/// The whole file, a pipe or device to its end; throws Error where it is missing, a folder, or
/// larger than `limit`.
std::vector<uint8_t> read_file(const std::string& path, int64_t limit = int64_t{1} << 32);

/// From here on `observer` is called with the path of every file that read_file or map_file opens,
/// from whatever thread, one call at a time; an empty one ends it. For proving what a run has read.
using ReadObserver = std::function<void(const std::string& path)>;
void observe_reads(ReadObserver observer);
/// Tells the observer, where there is one: for what opens files by other means.
void tell_observer(const std::string& path);

/// Bytes of a regular file; throws Error where it is missing or something else (a folder, a pipe).
int64_t file_size(const std::string& path);

/// A file mapped into memory, private and copy-on-write. If another process cuts the file short
/// while it is mapped, what is gone reads as zeros instead of killing the process, and
/// `require_intact` throws: call it after the contents have been copied out.
struct MappedFile {
  std::shared_ptr<void> owner;  ///< Unmaps when the last copy goes.
  std::span<uint8_t> bytes;
  std::string path;

  void require_intact() const;
};
/// Throws Error where the file is missing, empty, or no regular file, and where 64 are mapped. The
/// first call installs a handler of SIGBUS; what is no read of a mapped file goes on to the handler
/// that was there before.
MappedFile map_file(const std::string& path);
/// A copy of bytes, aligned to 64, as a file of this name: for what has no path.
MappedFile in_memory(std::span<const uint8_t> bytes, const std::string& name);

/// Lets the system take back memory of a mapped file that has been read: it is read from the file
/// again when it is needed. Only for memory that nobody writes; does nothing for any other.
void release_mapped(const void* data, int64_t bytes);

}  // namespace limbic
