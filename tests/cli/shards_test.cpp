// limbic extract --shard and limbic merge: what many processes leave is what one leaves.
#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::testing;

namespace {

std::string bytes_of(const std::string& path) {
  const auto bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("shards: merged they are one run's file, with broken pictures and pictures named twice") {
  const World& w = world();
  write_text(w.folder / "photos/joy/broken.jpg", "no picture");
  const std::string extract =
      "extract --quiet --model resnet8 --weights " + w.weights + " --data photos --batch-size 4 ";
  CHECK(w.run(extract + "--out whole.safetensors").status == some_skipped);
  std::string parts;
  for (const char* i : {"1", "2", "3"}) {
    const Result r = w.run(extract + "--shard " + i + "/3 --out part-" + i + ".safetensors");
    CHECK((r.status == done || r.status == some_skipped));
    parts = std::string("part-") + i + ".safetensors " + parts;
  }
  CHECK(w.run("merge --quiet merged.safetensors " + parts).status == done);
  CHECK(bytes_of(w.folder / "whole.safetensors") == bytes_of(w.folder / "merged.safetensors"));
  const auto paths =
      json::parse(weights::read_safetensors(w.folder / "whole.safetensors").metadata.at("paths"))
          .get<std::vector<std::string>>();
  CHECK(std::is_sorted(paths.begin(), paths.end()));
  for (const auto& entry : fs::directory_iterator(w.folder.path))
    CHECK(entry.path().extension() != ".part");

  // 0/3 is 3/3. More shards than photos: some are empty.
  CHECK(w.run(extract + "--shard 0/3 --out part-0.safetensors").status != failed);
  CHECK(bytes_of(w.folder / "part-0.safetensors") == bytes_of(w.folder / "part-3.safetensors"));
  parts.clear();
  for (int i = 1; i <= 40; ++i) {
    const std::string name = "many-" + std::to_string(i) + ".safetensors ";
    CHECK(w.run(extract + "--shard " + std::to_string(i) + "/40 --out " + name).status != failed);
    parts += name;
  }
  CHECK(w.run("merge --quiet merged.safetensors " + parts).status == done);
  CHECK(bytes_of(w.folder / "whole.safetensors") == bytes_of(w.folder / "merged.safetensors"));

  const auto refused = [&](const std::string& files, const char* what) {
    const Result r = w.run("merge none.safetensors " + files);
    CAPTURE(r.err);
    CHECK(r.status == failed);
    CHECK(is_one_line(r.err));
    CHECK(r.err.find(what) != std::string::npos);
    CHECK_FALSE(fs::exists(w.folder / "none.safetensors"));
  };
  refused("part-1.safetensors part-3.safetensors", "missing: shard 2/3");
  refused("part-1.safetensors part-3.safetensors part-0.safetensors part-2.safetensors",
          "part-0.safetensors: is shard 3/3, and so is part-3.safetensors");
  refused("part-1.safetensors many-2.safetensors", "one of 40 shards");
  refused("whole.safetensors", "is no file of limbic extract --shard");
  CHECK(w.run(extract + "--layer logits --shard 2/3 --out logits.safetensors").status != failed);
  refused("part-1.safetensors logits.safetensors part-3.safetensors", "is of another run");
  for (const char* bad : {"4/3", "1", "/", "a/b", "1/0", "-1/3"})
    CHECK(w.run(extract + "--out x.safetensors --shard=" + bad).status == failed);
  fs::remove(w.folder / "photos/joy/broken.jpg");
}
