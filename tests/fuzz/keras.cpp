// weights/keras, weights/hdf5, network/keras_config.h.
#include <cstdlib>
#include <cstring>

#include "limbic/network/keras_config.h"
#include "limbic/weights/keras/config.h"
#include "tests/fuzz/target.h"
#include "tests/weights/keras_goldens.h"

namespace limbic::fuzz {
namespace {

uint64_t number_after(const std::string& text, const char* words) {
  const size_t at = text.find(words);
  return at == text.npos ? UINT64_MAX
                         : std::strtoull(text.c_str() + at + std::strlen(words), nullptr, 10);
}

// Writes the checksum that an error asks for; false where it was about something else.
bool repair(Bytes& bytes, const std::string& error) {
  const uint64_t at = number_after(error, "at byte "), size = number_after(error, "after "),
                 wanted = number_after(error, "expected ");
  if (error.find("checksum") == error.npos || at > bytes.size() || size > bytes.size() ||
      at + size + 4 > bytes.size())
    return false;
  for (size_t i = 0; i < 4; ++i) bytes[at + size + i] = static_cast<uint8_t>(wanted >> (8 * i));
  return true;
}

void read_once(const Bytes& bytes) { read_all(weights::read_keras(file_of(bytes)).tensors); }

// A checksum is made good, as often as one is met, so that changes get behind it.
void read_keras_file(Bytes bytes) {
  for (int tries = 0;; ++tries) {
    try {
      return read_once(bytes);
    } catch (const Error& error) {
      if (tries == 60 || !repair(bytes, error.what())) throw;
    }
  }
}

std::vector<Bytes> keras_files(bool archives) {
  std::vector<Bytes> out;
  for (const weights::ZipMember& member : keras_goldens().members()) {
    if (member.name.ends_with(".json") || member.size > 34'000) continue;
    const MappedFile file = keras_goldens().read(member, uint64_t{1} << 20);
    Bytes bytes(file.bytes.begin(), file.bytes.end());
    if (weights::is_zip(text_of(bytes)) != archives) continue;
    for (size_t i = 0; i + 30 < bytes.size(); ++i)
      if (std::memcmp(bytes.data() + i, "PK\x01\x02", 4) == 0) std::memset(&bytes[i + 16], 0, 4);
    out.push_back(std::move(bytes));
  }
  return out;
}

void read_config(const Bytes& bytes) {
  const auto config = network::read_keras_config(text_of(bytes));
  network::with_rescaling({}, config, false);
}

void read_layers(const Bytes& bytes) { weights::read_keras_config(text_of(bytes), "x"); }

std::vector<Bytes> configs() {
  return {
      bytes_of(R"({"class_name":"Functional","config":{"name":"m","layers":[{"class_name":)"
               R"("InputLayer","config":{"batch_shape":[null,32,32,3]}},{"class_name":"Conv2D",)"
               R"("config":{"name":"c","strides":[2,2],"data_format":"channels_last"}},)"
               R"({"class_name":"BatchNormalization","config":{"name":"b","scale":false}},)"
               R"({"class_name":"MaxPooling2D","config":{}},{"class_name":"Dense","config":)"
               R"({"name":"d","activation":"sigmoid"}}]}})"),
      bytes_of(R"({"class_name":"Sequential","config":[{"class_name":"Rescaling","config":)"
               R"({"scale":[0.1,0.2,0.3],"offset":-1}},{"class_name":"Normalization","config":)"
               R"({"mean":[1,2,3],"variance":[[4,5,6]]}},{"class_name":"Softmax","config":{}}]})")};
}

}  // namespace

std::vector<Target> keras_targets() {
  return {{"hdf5", read_keras_file, [] { return keras_files(false); }},
          {"keras_archive", read_keras_file, [] { return keras_files(true); }},
          {"keras_config", read_config, configs},
          {"keras_layers", read_layers, configs}};
}

}  // namespace limbic::fuzz
