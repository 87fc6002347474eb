#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace limbic::weights {

/// A checkpoint that its authors publish, and what is known of it.
struct OfficialFile {
  std::string name;    ///< The file's.
  std::string model;   ///< Architecture that loads it.
  std::string preset;  ///< How its pictures are prepared (io/preset.h).
  std::string url = "";
  std::string package =
      "";  ///< Of Python's registry, whose wheel is read as it is; in place of url.
  /// torchvision's within 1024, as it gives MiB with three decimals; Keras' within half a per cent;
  /// 0: not known.
  int64_t bytes = 0;
  std::string sha256;         ///< The first eight hexadecimal digits, or empty.
  std::string md5;            ///< In full, or empty.
  double top1 = 0, top5 = 0;  ///< ImageNet validation, per cent, as published; 0: not stated.
};

/// torchvision's (older ones too), Keras' and timm's files, and packages of Python's registry, for
/// the architectures of models/.
/// Source: torchvision.models' weight enums, keras.applications, timm's model cards.
const std::vector<OfficialFile>& official_files();
/// Throws Error, with what to type, for a name that is not in the list.
const OfficialFile& official_file(const std::string& name);

/// Which published file these bytes are, by checksum; null if none. Hashes only what has the size
/// of one.
const OfficialFile* recognise(std::span<const uint8_t> bytes);

}  // namespace limbic::weights
