// What a Keras model's config says, and what hostile ones may not do.
#include "limbic/network/keras_config.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "limbic/core/error.h"
#include "limbic/core/random.h"

namespace limbic::network {
namespace {

const std::string model = R"({"class_name":"Functional","config":{"name":"m","layers":[
 {"class_name":"InputLayer","config":{"batch_shape":[null,96,96,3],"name":"in"}},
 {"class_name":"Rescaling","config":{"scale":0.00784313725490196,"offset":-1.0}},
 {"class_name":"Normalization","config":{"mean":[[0.1,0.2,0.3]],"variance":[[4,4,4]]}},
 {"class_name":"Conv2D","config":{"name":"c","strides":[2,2],"data_format":"channels_last"}},
 {"class_name":"MaxPooling2D","config":{"pool_size":[2,2]}},
 {"class_name":"Sequential","config":{"layers":[
   {"class_name":"Dense","config":{"name":"d","activation":"relu"}}]}},
 {"class_name":"Dense","config":{"name":"e","activation":"sigmoid"}}]}})";

}  // namespace

TEST_CASE("keras config: what it says is read") {
  const KerasConfig c = read_keras_config(model);
  CHECK(c.rescaling.size() == 2);
  CHECK(c.activation == "sigmoid");
  CHECK(c.height == 96);
  CHECK(c.max_poolings == 1);
  CHECK(c.strides.at("c") == 2);
  CHECK(c.not_followed.empty());
  // (v / 127.5 - 1 - mean) / 2, of pixels as they are.
  const io::Preset p = with_rescaling(io::find_preset("keras-caffe"), c, false);
  for (size_t channel = 0; channel < 3; ++channel)
    for (double v : {0.0, 100.0, 255.0}) {
      const double mean = 0.1 * static_cast<double>(channel + 1);
      CHECK((v * p.scale - p.mean[channel]) / p.std[channel] ==
            doctest::Approx((v / 127.5 - 1 - mean) / 2).epsilon(1e-9));
    }
  CHECK_FALSE(p.bgr);
}

TEST_CASE("keras config: what no network here computes is named") {
  const auto refused = [](const std::string& layer) {
    const KerasConfig c = read_keras_config(
        "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[" + layer + "]}}");
    return c.not_followed.empty() ? std::string() : c.not_followed[0];
  };
  CHECK(refused(R"({"class_name":"GlobalMaxPooling2D","config":{}})") == "global maximum pooling");
  CHECK(refused(R"({"class_name":"UnitNormalization","config":{}})") ==
        "a layer UnitNormalization");
  CHECK(refused(R"({"class_name":"Lambda","config":{}})") == "a layer Lambda");
  CHECK(refused(R"({"class_name":"Conv2D","config":{"data_format":"channels_first"}})") ==
        "channels before pixels");
  CHECK(refused(R"({"class_name":"Normalization","config":{"mean":null}})") != "");
  CHECK(refused(R"({"class_name":"RandomFlip","config":{}})") == "");
}

TEST_CASE("keras config: mutated ones are read or refused") {
  const char* wanted = std::getenv("LIMBIC_MUTATIONS");
  const int64_t rounds = wanted ? std::atoll(wanted) : 2000;
  Random random(7);
  for (int64_t round = 0; round < rounds; ++round) {
    std::string text = model;
    for (int64_t i = random.below(6); i >= 0; --i) {
      const auto at = static_cast<size_t>(random.below(std::ssize(text)));
      if (random.below(3) == 0)
        text[at] = "[]{}\",:0-9en."[random.below(14)];
      else if (random.below(2) == 0)
        text.erase(at, static_cast<size_t>(1 + random.below(8)));
      else
        text.insert(at, text.substr(at, static_cast<size_t>(random.below(40))));
    }
    try {
      with_rescaling(io::find_preset("cifar"), read_keras_config(text), random.below(2) == 0);
    } catch (const Error&) {
    }
  }
  CHECK(true);
}

}  // namespace limbic::network
