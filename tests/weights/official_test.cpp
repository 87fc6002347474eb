#include "limbic/weights/official.h"

#include <doctest/doctest.h>

#include <set>

#include "limbic/core/error.h"

using namespace limbic;
using namespace limbic::weights;

TEST_CASE("official: names are unique, checksums are hexadecimal, addresses end in the name") {
  std::set<std::string> names;
  for (const OfficialFile& file : official_files()) {
    CAPTURE(file.name);
    CHECK(names.insert(file.name).second);
    if (!file.package.empty()) {
      CHECK(file.url.empty());
      continue;
    }
    CHECK(file.url.starts_with("https://"));
    const bool timm = file.sha256.empty() && file.md5.empty();
    CHECK((timm || file.url.ends_with("/" + file.name)));
    CHECK((file.sha256.empty() || file.sha256.size() == 8));
    CHECK((file.md5.empty() || file.md5.size() == 32));
    for (char c : file.sha256 + file.md5)
      CHECK(std::string("0123456789abcdef").find(c) != std::string::npos);
  }
  CHECK(official_file("resnet101-63fe2227.pth").bytes == 178793742);
  CHECK(official_file("resnet101-cd907fc2.pth").preset == "torchvision-v2");
  CHECK(official_file("alexnet-owt-7be5be79.pth").sha256 == "7be5be79");
  CHECK(official_file("densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5").model ==
        "keras_densenet201");
  CHECK_THROWS_AS(official_file("resnet101.pth"), Error);
}

TEST_CASE("official: a file of a published size and other contents is not recognised") {
  const std::vector<uint8_t> zeros(
      static_cast<size_t>(official_file("squeezenet1_1-b8a52dc0.pth").bytes));
  CHECK(recognise(zeros) == nullptr);
  CHECK(recognise({}) == nullptr);
}
