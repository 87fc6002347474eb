#include "limbic/io/loader.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <new>
#include <thread>

#include "limbic/core/parallel.h"
#include "limbic/io/check.h"
#include "limbic/io/decode.h"
#include "tests/io/pictures.h"
#include "tests/sanitized.h"

namespace fs = std::filesystem;
using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

namespace {

constexpr int64_t side = 12;

// `n` pictures of different sizes in two classes; those whose number is in `broken` are text.
Dataset make_dataset(const TemporaryFolder& folder, int64_t n,
                     const std::vector<int64_t>& broken = {}) {
  for (int64_t i = 0; i < n; ++i) {
    const std::string path = folder / str_cat(i % 2 == 0 ? "a/" : "b/", i + 1000, ".png");
    if (std::find(broken.begin(), broken.end(), i) != broken.end())
      write_text(path, "no picture");
    else
      write_png(path, random_picture(13 + i % 5, 14 + i % 7, static_cast<uint64_t>(i)));
  }
  return list_folders(folder.path.string());
}

Preset small_preset() { return with_image_size(find_preset("limbic"), side); }

Augmentation all_augmentation() {
  return {.random_resized_crop = true,
          .flip = true,
          .brightness = 0.3,
          .contrast = 0.3,
          .saturation = 0.3};
}

// Leaves the process `bytes` more than it has mapped; returns the limit before.
rlimit limit_memory(rlim_t bytes) {
  ::malloc_trim(0);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  REQUIRE(pages > 0);
  const rlimit tight{pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + bytes, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_AS, &tight) == 0);
  return before;
}

// Of /proc/self/status; 0 where there is none.
int64_t kilobytes_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kilobytes = 0; word == name && status >> kilobytes) return kilobytes;
  return 0;
}

struct Epoch {
  std::vector<int64_t> indices, labels, batch_sizes;
  std::vector<float> values;
  bool operator==(const Epoch&) const = default;
};

Epoch rest_of_epoch(Loader& loader) {
  Epoch out;
  for (Batch batch; loader.next(batch);) {
    CHECK(batch.images.shape() == Shape{batch.size(), 3, side, side});
    out.batch_sizes.push_back(batch.size());
    out.indices.insert(out.indices.end(), batch.indices.begin(), batch.indices.end());
    out.labels.insert(out.labels.end(), batch.labels.begin(), batch.labels.end());
    const auto values = batch.images.values();
    out.values.insert(out.values.end(), values.begin(), values.end());
  }
  return out;
}

Epoch run_epoch(Loader& loader, int64_t epoch) {
  loader.start_epoch(epoch);
  return rest_of_epoch(loader);
}

}  // namespace

TEST_CASE("loader: batches hold what preprocess gives, in order") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 11);
  Loader loader(dataset, small_preset(), std::nullopt, {.batch_size = 4});
  CHECK(loader.batches() == 3);
  const Epoch epoch = rest_of_epoch(loader);
  CHECK(epoch.batch_sizes == std::vector<int64_t>{4, 4, 3});
  REQUIRE(epoch.indices.size() == 11);
  std::vector<float> chw(3 * side * side);
  for (size_t i = 0; i < 11; ++i) {
    CHECK(epoch.indices[i] == static_cast<int64_t>(i));
    CHECK(epoch.labels[i] == dataset.samples[i].label);
    preprocess(decode_file(dataset.samples[i].path), small_preset(), chw.data());
    CHECK(std::equal(chw.begin(), chw.end(),
                     epoch.values.begin() + static_cast<int64_t>(i * chw.size())));
  }
  Loader full(dataset, small_preset(), std::nullopt, {.batch_size = 4, .drop_last = true});
  CHECK(full.batches() == 2);
  CHECK(rest_of_epoch(full).batch_sizes == std::vector<int64_t>{4, 4});
}

TEST_CASE("loader: the same bits whatever the threads, the cache and the read-ahead") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 40, {3, 4, 5, 17, 39});
  const int before = threads();
  for (const bool augmented : {false, true}) {
    CAPTURE(augmented);
    const auto augmentation =
        augmented ? std::optional(all_augmentation()) : std::optional<Augmentation>();
    std::vector<Epoch> reference;
    for (const int thread_count : {1, 2})
      for (const int64_t cache : {0, 5000, 1 << 20})
        for (const int64_t read_ahead : {0, 1 << 20}) {
          set_threads(thread_count);
          Loader loader(dataset, small_preset(), augmentation,
                        {.batch_size = 8,
                         .seed = 5,
                         .shuffle = true,
                         .cache_bytes = cache,
                         .read_ahead_bytes = read_ahead});
          const std::vector<Epoch> epochs{run_epoch(loader, 0), run_epoch(loader, 1),
                                          run_epoch(loader, 0)};
          CHECK(epochs[0] == epochs[2]);
          CHECK(epochs[0] != epochs[1]);
          if (reference.empty()) reference = epochs;
          CHECK(epochs == reference);
        }
    // Batches stay full around the five that cannot be used.
    CHECK(reference[0].batch_sizes == std::vector<int64_t>{8, 8, 8, 8, 3});
  }
  set_threads(before);
}

TEST_CASE("loader: where samples were skipped, each picture still stands beside its own index") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 20, {0, 4, 5, 19});
  Loader loader(dataset, small_preset(), std::nullopt, {.batch_size = 6});
  const Epoch epoch = rest_of_epoch(loader);
  CHECK(epoch.batch_sizes == std::vector<int64_t>{6, 6, 4});
  std::vector<float> chw(3 * side * side);
  for (size_t i = 0; i < epoch.indices.size(); ++i) {
    const Sample& sample = dataset.samples[static_cast<size_t>(epoch.indices[i])];
    preprocess(decode_file(sample.path), small_preset(), chw.data());
    CHECK(epoch.labels[i] == sample.label);
    CHECK(std::equal(chw.begin(), chw.end(),
                     epoch.values.begin() + static_cast<int64_t>(i * chw.size())));
  }
}

TEST_CASE("loader: augmentation is drawn anew each epoch, and for each seed") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 6);
  Loader loader(dataset, small_preset(), all_augmentation(), {.batch_size = 6, .seed = 1});
  Loader other(dataset, small_preset(), all_augmentation(), {.batch_size = 6, .seed = 2});
  const Epoch first = run_epoch(loader, 0);
  CHECK(first.indices == run_epoch(loader, 1).indices);
  CHECK(first.values != run_epoch(loader, 1).values);
  CHECK(first.values != run_epoch(other, 0).values);
}

TEST_CASE("loader: an epoch resumes at a position") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 30, {2, 9, 21});
  const LoaderOptions options{.batch_size = 4, .seed = 9, .shuffle = true};
  Loader whole(dataset, small_preset(), all_augmentation(), options);
  whole.start_epoch(3);
  Batch batch;
  for (int i = 0; i < 3; ++i) REQUIRE(whole.next(batch));
  Loader resumed(dataset, small_preset(), all_augmentation(), options);
  resumed.start_epoch(3, whole.position());
  CHECK(resumed.epoch() == 3);
  CHECK(rest_of_epoch(resumed) == rest_of_epoch(whole));
  CHECK(resumed.position() == 30);
  resumed.start_epoch(4, 30);  // at the very end: an epoch without batches
  CHECK_FALSE(resumed.next(batch));
  CHECK_THROWS_AS(resumed.start_epoch(4, 31), Error);
  CHECK_THROWS_AS(resumed.start_epoch(-1), Error);
}

TEST_CASE("loader: unusable pictures are named once") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 10, {0, 7});
  fs::remove(dataset.samples[3].path);
  Loader loader(dataset, small_preset(), std::nullopt, {.batch_size = 3});
  CHECK(run_epoch(loader, 0).indices.size() == 7);
  CHECK(run_epoch(loader, 1).indices.size() == 7);
  REQUIRE(loader.skipped().size() == 3);
  for (const SkippedSample& skipped : loader.skipped()) {
    CAPTURE(skipped.reason);
    CHECK(fs::path(skipped.path).is_absolute());
    CHECK(skipped.reason.find(skipped.path) == std::string::npos);
    CHECK(skipped.reason.find('\n') == std::string::npos);
  }
  CHECK(loader.skipped()[0].reason.find("text file") != std::string::npos);
  CHECK(loader.skipped()[1].reason.find("cannot open") != std::string::npos);
}

TEST_CASE("loader: a folder that vanishes half-way") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 20);
  Loader loader(dataset, small_preset(), std::nullopt,
                {.batch_size = 4, .cache_bytes = 0, .read_ahead_bytes = 0});
  Batch batch;
  REQUIRE(loader.next(batch));
  fs::remove_all(folder.path);
  const size_t rest = rest_of_epoch(loader).indices.size();  // what was read before
  CHECK(rest <= 2);
  CHECK(loader.skipped().size() == 16 - rest);
  loader.start_epoch(1);
  const std::string message = error_of([&] { loader.next(batch); });
  CHECK(message.find("none of the 20 pictures can be used") != std::string::npos);
  CHECK(message.find(loader.skipped().front().path) != std::string::npos);

  // What was decoded before stays usable.
  const TemporaryFolder other;
  Loader cached(make_dataset(other, 20), small_preset(), std::nullopt, {.batch_size = 4});
  const Epoch first = run_epoch(cached, 0);
  fs::remove_all(other.path);
  CHECK(run_epoch(cached, 0) == first);
}

TEST_CASE("loader: augmentation belongs to a sample, wherever in an epoch it comes") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 9);
  const auto by_sample = [&](const LoaderOptions& options) {
    Loader loader(dataset, small_preset(), all_augmentation(), options);
    const Epoch epoch = run_epoch(loader, 2);
    std::map<int64_t, std::vector<float>> out;
    const int64_t floats = 3 * side * side;
    for (size_t i = 0; i < epoch.indices.size(); ++i) {
      const auto begin = epoch.values.begin() + static_cast<int64_t>(i) * floats;
      out[epoch.indices[i]].assign(begin, begin + floats);
    }
    return out;
  };
  const auto in_order = by_sample({.batch_size = 4, .seed = 3});
  CHECK(by_sample({.batch_size = 5, .seed = 3, .shuffle = true}) == in_order);
  CHECK(in_order.at(0) != in_order.at(2));
  // Two samples of the same bytes are cut out differently.
  fs::copy_file(dataset.samples[0].path, dataset.samples[1].path,
                fs::copy_options::overwrite_existing);
  const auto twins = by_sample({.batch_size = 4, .seed = 3});
  CHECK(twins.at(0) != twins.at(1));
}

TEST_CASE("loader: keep_usable fixes the pictures that there are") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 10, {2, 7});
  const LoaderOptions options{.batch_size = 64, .seed = 1, .shuffle = true, .drop_last = true};
  for (const int64_t cache : {0, 1 << 20}) {
    CAPTURE(cache);
    LoaderOptions o = options;
    o.cache_bytes = cache;
    Loader loader(dataset, small_preset(), all_augmentation(), o);
    const std::string content = loader.keep_usable();
    CHECK(loader.batch_size() == 8);
    CHECK(loader.batches() == 1);
    CHECK(loader.dataset().size() == 8);
    CHECK(loader.dataset().samples[2] == dataset.samples[3]);
    CHECK(loader.skipped().size() == 2);
    // The same epochs as of a data set without the two.
    Dataset good = dataset;
    good.samples.erase(good.samples.begin() + 8);  // b/1007.png
    good.samples.erase(good.samples.begin() + 1);  // a/1002.png
    o.batch_size = 8;
    Loader other(good, small_preset(), all_augmentation(), o);
    CHECK(other.keep_usable() == content);
    CHECK(run_epoch(loader, 1) == run_epoch(other, 1));
    Loader plain(good, small_preset(), all_augmentation(), o);
    CHECK(run_epoch(plain, 1) == run_epoch(loader, 1));
    // Content is bytes and labels in order.
    std::swap(good.samples[0], good.samples[1]);
    CHECK(Loader(good, small_preset(), std::nullopt, o).keep_usable() != content);
    std::swap(good.samples[0], good.samples[1]);
    good.samples[0].label = 1;
    CHECK(Loader(good, small_preset(), std::nullopt, o).keep_usable() != content);
  }
  // One that goes later would change the steps: an error, unless the loader has it.
  LoaderOptions o = options;
  o.cache_bytes = 0;
  Loader loader(dataset, small_preset(), std::nullopt, o);
  loader.keep_usable();
  write_text(dataset.samples[4].path, "no picture");
  const std::string message = error_of([&] { run_epoch(loader, 0); });
  CHECK(message.starts_with(dataset.samples[4].path + ": could be read at first, and now: "));
  Loader none({dataset.classes, {dataset.samples[1], dataset.samples[8]}}, small_preset(),
              std::nullopt, options);
  CHECK(error_of([&] {
          none.keep_usable();
        }).starts_with("none of the 2 pictures can be used; the first: "));
}

TEST_CASE("loader: short memory is no fault of a picture") {
  if (sanitized) return;
  const TemporaryFolder folder;
  // 108 MB each when decoded, more than an arena of malloc's holds; few bytes as files.
  for (int i = 0; i < 2; ++i) write_png(folder / str_cat("a/", i, ".png"), Picture(6000, 6000));
  const Dataset dataset = list_folders(folder.path.string());
  const rlimit before = limit_memory(40 << 20);
  bool short_of_memory = false;
  std::vector<SkippedSample> skipped;
  try {
    Loader loader(dataset, small_preset(), std::nullopt, {.batch_size = 4});
    Batch batch;
    loader.next(batch);
    skipped = loader.skipped();
  } catch (const std::bad_alloc&) {
    short_of_memory = true;
  }
  bool check_says_so = false;
  try {
    check_dataset(folder.path.string());
  } catch (const std::bad_alloc&) {
    check_says_so = true;
  }
  ::setrlimit(RLIMIT_AS, &before);
  CHECK(short_of_memory);
  CHECK(check_says_so);
  CHECK(skipped.empty());
}

TEST_CASE("loader: no more is decoded at once than its budget, whatever the batch") {
  if (sanitized) return;
  const TemporaryFolder folder;
  // 37 MB each: above what the allocator keeps for itself when it is freed.
  for (int i = 0; i < 8; ++i) write_png(folder / str_cat("a/", i, ".png"), Picture(3500, 3500));
  const Dataset dataset = list_folders(folder.path.string());
  std::ofstream reset("/proc/self/clear_refs");
  if (!(reset << 5 << std::flush)) {
    MESSAGE("skipped: the peak of memory cannot be measured here");
    return;
  }
  const int threads_before = threads();
  set_threads(8);
  const int64_t before = kilobytes_of("VmRSS:");
  Loader loader(dataset, small_preset(), all_augmentation(),
                {.batch_size = 8, .cache_bytes = 40 << 20, .decode_bytes = 38 << 20});
  Batch batch;
  REQUIRE(loader.next(batch));
  set_threads(threads_before);
  CHECK(batch.size() == 8);
  // One in the cache and one that is decoded, cut out and handed over: 210 MB. All at once: 600.
  CHECK(kilobytes_of("VmHWM:") - before < 280 << 10);
}

TEST_CASE("read-ahead: a file that was asked for before is not given out after") {
  const TemporaryFolder folder;
  const std::string large = folder / "large", small = folder / "small";
  write_text(large, "");
  fs::resize_file(large, 100 << 20);  // takes a while to read
  write_text(small, "abc");
  for (int round = 0; round < 5; ++round) {
    ReadAhead reader(1 << 20);
    reader.start({large});
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    reader.start({small, small});
    for (int i = 0; i < 2; ++i) CHECK(reader.next().bytes == std::vector<uint8_t>{'a', 'b', 'c'});
    CHECK_THROWS_AS(reader.next(), Error);
  }
}

TEST_CASE("loader: it ends at any moment, and refuses nonsense") {
  const TemporaryFolder folder;
  const Dataset dataset = make_dataset(folder, 30);
  for (int batches = 0; batches < 8; ++batches) {
    Loader loader(dataset, small_preset(), std::nullopt,
                  {.batch_size = 4, .read_ahead_bytes = 2000});
    Batch batch;
    for (int i = 0; i < batches; ++i) loader.next(batch);
    for (int64_t epoch = 0; epoch < 5; ++epoch) loader.start_epoch(epoch, epoch);
  }
  CHECK_THROWS_AS(Loader({}, small_preset(), std::nullopt, {}), Error);
  CHECK_THROWS_AS(Loader(dataset, small_preset(), std::nullopt, {.batch_size = 0}), Error);
  CHECK_THROWS_AS(Loader(dataset, small_preset(), Augmentation{.padding = -1}, {}), Error);
}

TEST_CASE("loader: real photos") {
  const std::string dir = LIMBIC_SOURCE_DIR "/../shared/data/images/hymenoptera/val";
  if (!fs::exists(dir)) {
    MESSAGE("skipped: no photos at " << dir);
    return;
  }
  Dataset dataset = list_folders(dir);
  CHECK(dataset.classes == std::vector<std::string>{"ants", "bees"});
  CHECK(dataset.size() == 153);
  dataset.samples.resize(48);
  Loader loader(dataset, find_preset("torchvision"), std::nullopt, {.batch_size = 16});
  Batch batch;
  int64_t seen = 0;
  while (loader.next(batch)) seen += batch.size();
  CHECK(seen == 48);
  CHECK(loader.skipped().empty());
}
