#pragma once
// Pictures and folders that the tests of io make for themselves.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/random.h"
#include "limbic/io/picture.h"
#include "limbic/io/png.h"
#include "tests/temporary.h"

namespace limbic::testing {

inline void write_bytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

inline void write_text(const std::string& path, const std::string& text) {
  write_bytes(path, {text.begin(), text.end()});
}

inline io::Picture random_picture(int64_t height, int64_t width, uint64_t seed) {
  io::Picture picture(height, width);
  Random random(seed);
  for (uint8_t& value : picture.pixels) value = static_cast<uint8_t>(random.below(256));
  return picture;
}

inline void write_png(const std::string& path, const io::Picture& picture) {
  write_bytes(path, io::encode_png(picture));
}

inline std::string golden(const std::string& name) {
  const std::string path = std::string(LIMBIC_SOURCE_DIR "/tests/goldens/") + name;
  require(std::filesystem::exists(path), path,
          ": missing; make it with tests/goldens/make_pictures.py or make_resize_goldens.py");
  return path;
}

/// The message of the Error that `action` throws; "" where it throws none.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Messages are one line and say which file.
inline bool is_one_line_about(const std::string& message, const std::string& name) {
  return message.starts_with(name + ": ") && message.find('\n') == std::string::npos &&
         message.size() > name.size() + 4;
}

}  // namespace limbic::testing
