#include "limbic/network/read_batch.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "limbic/io/decode.h"
#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::network;
using namespace limbic::testing;

TEST_CASE("read_batch: pictures that cannot be used are refused, left out, or rows of zeros") {
  const TemporaryFolder folder;
  const io::Preset preset = io::with_image_size(io::find_preset("cifar"), 16);
  std::vector<std::string> paths;
  for (uint64_t i = 0; i < 5; ++i) {
    paths.push_back(folder / str_cat(i, ".png"));
    if (i == 0 || i == 3)
      write_text(paths.back(), "no picture");
    else
      write_png(paths.back(), random_picture(20, 18, i));
  }
  const auto row = [](const Tensor& images, int64_t i) {
    const Tensor one = images.rows(i, i + 1);
    return std::vector<float>(one.values().begin(), one.values().end());
  };
  const auto expected = [&](size_t i) {
    std::vector<float> out(3 * 16 * 16);
    io::preprocess(io::decode_file(paths[i], preset.decode_options()), preset, out.data());
    return out;
  };

  const FileBatch others = read_batch(paths, preset, Unusable::leave_out);
  REQUIRE(others.images.shape() == Shape{3, 3, 16, 16});
  CHECK(row(others.images, 0) == expected(1));
  CHECK(row(others.images, 1) == expected(2));
  CHECK(row(others.images, 2) == expected(4));

  const FileBatch all = read_batch(paths, preset, Unusable::keep_row);
  REQUIRE(all.images.shape() == Shape{5, 3, 16, 16});
  CHECK(all.reasons == others.reasons);
  for (size_t i = 0; i < paths.size(); ++i) {
    CAPTURE(i);
    const bool usable = i != 0 && i != 3;
    CHECK(all.reasons[i].empty() == usable);
    CHECK(all.reasons[i].find(folder.path.string()) == std::string::npos);
    CHECK(row(all.images, static_cast<int64_t>(i)) ==
          (usable ? expected(i) : std::vector<float>(3 * 16 * 16)));
  }

  const std::string message = paths[0] + ": " + all.reasons[0];
  CHECK_THROWS_WITH_AS(read_batch(paths, preset, Unusable::refuse), message.c_str(), Error);
  CHECK(read_batch({paths[1]}, preset, Unusable::refuse).images.dim(0) == 1);
  CHECK(read_batch({paths[0]}, preset, Unusable::leave_out).images.dim(0) == 0);
  CHECK(read_batch({}, preset, Unusable::leave_out).images.dim(0) == 0);
}
