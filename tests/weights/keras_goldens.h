#pragma once
#include <memory>
#include <string>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/weights/keras/keras.h"
#include "limbic/weights/zip.h"

namespace limbic {

/// The archive that tests/goldens/make_keras_goldens.py writes.
inline const weights::ZipArchive& keras_goldens() {
  static const weights::ZipArchive archive(map_file(LIMBIC_SOURCE_DIR "/tests/goldens/keras.zip"));
  return archive;
}

/// One of its files, exactly as many bytes as it has, under the path "x.h5".
inline MappedFile keras_golden(const std::string& name) {
  const weights::ZipMember* member = keras_goldens().find(name);
  require(member != nullptr, "tests/goldens/keras.zip has no ", name,
          "; make it with make_keras_goldens.py");
  MappedFile file = keras_goldens().read(*member, uint64_t{1} << 20);
  file.path = "x.h5";
  return file;
}

/// While it lives, read_checkpoint reads Keras' files.
struct WithKeras {
  WithKeras() { weights::formats().push_back(weights::keras_format); }
  ~WithKeras() { weights::formats().pop_back(); }
  WithKeras(const WithKeras&) = delete;
  WithKeras& operator=(const WithKeras&) = delete;
};

/// A file of these bytes, on the heap, so that a sanitizer sees any overrun.
inline MappedFile file_of(const std::vector<uint8_t>& bytes) {
  const auto copy = std::make_shared<std::vector<uint8_t>>(bytes);
  copy->shrink_to_fit();
  return {copy, {copy->data(), copy->size()}, "x.h5"};
}

}  // namespace limbic
