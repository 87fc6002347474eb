#pragma once
#include <string>
#include <vector>

#include "limbic/io/picture.h"
#include "limbic/walk/record.h"

namespace limbic::walk {

/// What a page says of a recording beside its numbers.
struct Subject {
  std::string network;              ///< "resnet20".
  std::string about;                ///< Where weights and picture are from, a sentence.
  std::vector<std::string> labels;  ///< Of the classes, or none.
  io::Picture picture;              ///< As the network sees it.
  int start = 1;                    ///< The layer that the page opens at.
};

/// How much of each layer a page holds: all numbers, or of each layer some channels at some places
/// with all that these read, and of the rest reduced pictures.
struct Selection {
  bool whole = true;
  int64_t channels = 8, places = 64;
  int64_t pictures = 64, side = 28;  ///< Channels shown as pictures; pixels a side at most.

  /// A sentence for the reader.
  std::string text() const;
};

struct Page {
  std::string html;
  Selection selection;
};

constexpr size_t most_page_bytes = 5'000'000;

/// One file that needs no other: the largest of several selections that has at most `most` bytes.
/// Throws Error where none has.
Page render(const Recording& r, const Subject& subject, size_t most = most_page_bytes);

}  // namespace limbic::walk
