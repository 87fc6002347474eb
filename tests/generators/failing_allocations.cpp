// Lets the n-th allocation of a piece of work fail, for n = 1, 2, ... until it needs no more, in
// one process: each must end in std::bad_alloc or Error, leave no file, and the same work,
// undisturbed afterwards, must give what it always gives.
//
//   failing_allocations [--from N] [--every K] [--threads T] [--work NAME] [--others yes]
//
// Without --every each of the first 2,000 allocations fails, then every 50th; with it every K-th;
// each of the last 20 in any case.
//
// Two libraries do not survive all of them and are spared, by asking for each allocation that is to
// fail whether a function of theirs is among its callers (--others yes spares none and shows
// where):
// - oneDNN 2.6: std::bad_alloc ends in std::terminate within dnnl_primitive_desc_iterator_create
// and
//   dnnl_primitive_create, and leaves its cache of primitives so that
//   dnnl_set_primitive_cache_capacity follows a bad pointer later;
// - nlohmann's JSON 3.11, which allocates in the destructor of arrays and objects
//   (basic_json::json_value::destroy, its stack of what is to be destroyed): noexcept, so a failure
//   is std::terminate.
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/hash/hash.h"
#include "limbic/io/decode.h"
#include "limbic/network/network.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/plan.h"
#include "limbic/svm/svc.h"
#include "limbic/train/checkpoint.h"
#include "limbic/train/optimiser.h"
#include "tests/temporary.h"

namespace {

std::atomic<int64_t> left{0};  // until the one that fails; 0 or less: none does
std::atomic<int64_t> made{0};  // since `left` was set
std::atomic<bool> failed{false}, spared{false};
bool everywhere = false;

// Where nlohmann's destructors lie in this program, by its own table of symbols, which knows hidden
// ones too. Read before anything fails.
using Range = std::pair<uintptr_t, uintptr_t>;
std::vector<Range>& destructors() {
  static std::vector<Range> all;
  return all;
}

void find_destructors() {
  uintptr_t base = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* to) {
        *static_cast<uintptr_t*>(to) = info->dlpi_addr;
        return 1;  // the first is the program
      },
      &base);
  const limbic::MappedFile file = limbic::map_file("/proc/self/exe");
  const uint8_t* bytes = file.bytes.data();
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes);
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes + header->e_shoff);
  for (int s = 0; s < header->e_shnum; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(bytes + sections[s].sh_offset);
    const auto* names =
        reinterpret_cast<const char*>(bytes + sections[sections[s].sh_link].sh_offset);
    for (size_t i = 0; i < sections[s].sh_size / sizeof *symbols; ++i)
      if (std::strstr(names + symbols[i].st_name, "json_value7destroy"))
        destructors().emplace_back(base + symbols[i].st_value,
                                   base + symbols[i].st_value + symbols[i].st_size);
  }
  limbic::require(!destructors().empty(), "this program has no table of symbols, or no JSON");
}

bool within_others() {
  void* callers[256];
  const int count = ::backtrace(callers, 256);
  for (int i = 0; i < count; ++i) {
    Dl_info info{};
    if (::dladdr(callers[i], &info) && info.dli_fname && std::strstr(info.dli_fname, "libdnnl"))
      return true;
    const auto at = reinterpret_cast<uintptr_t>(callers[i]);
    for (const auto& [begin, end] : destructors())
      if (at > begin && at <= end) return true;
  }
  return false;
}

bool fails() {
  made.fetch_add(1, std::memory_order_relaxed);
  if (left.load(std::memory_order_relaxed) <= 0 || left.fetch_sub(1) != 1) return false;
  if (!everywhere && within_others()) {
    spared = true;
    return false;
  }
  failed = true;
  errno = ENOMEM;
  return true;
}

}  // namespace

// operator new and all else end here.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t n, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) { return fails() ? nullptr : __libc_malloc(bytes); }
void* calloc(size_t n, size_t bytes) { return fails() ? nullptr : __libc_calloc(n, bytes); }
void* realloc(void* old, size_t bytes) { return fails() ? nullptr : __libc_realloc(old, bytes); }
void* memalign(size_t alignment, size_t bytes) {
  return fails() ? nullptr : __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** out, size_t alignment, size_t bytes) {
  void* made_here = memalign(alignment, bytes);
  if (!made_here) return ENOMEM;
  *out = made_here;
  return 0;
}
}

namespace limbic::generators {
namespace {

namespace fs = std::filesystem;
using Answer = std::vector<uint8_t>;

struct Work {
  std::string name;
  std::function<Answer()> run;
};

void append(Answer& out, const Tensor& tensor) {
  const auto* data = static_cast<const uint8_t*>(tensor.raw());
  out.insert(out.end(), data, data + tensor.bytes());
}

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

// ResNet-8 from a file to a prediction, a step of training, and to a file again; an SVM; pictures.
class World {
 public:
  World() : model_(models::build_model("resnet8", 2)), parameters_(model_.graph.initialise(0)) {
    train::save_weights(weights_, parameters_, {{"limbic.model", "resnet8"}});
    fs::create_directories(out_);
  }

  std::vector<Work> works() {
    std::vector<Work> all = {{"load", [this] { return load(); }},
                             {"infer", [this] { return infer(); }},
                             {"step", [this] { return step(); }},
                             {"save", [this] { return save(); }},
                             {"svm", [this] { return svm(); }}};
    for (const char* picture :
         {"rgb.jpg", "progressive.jpg", "rgb.png", "palette.png", "first.gif", "palette.bmp"})
      all.push_back({picture, [picture] {
                       return io::decode_file(
                                  std::string(LIMBIC_SOURCE_DIR "/tests/goldens/pictures/") +
                                  picture)
                           .pixels;
                     }});
    all.push_back({"webp", [] {
                     return io::decode_file(LIMBIC_SOURCE_DIR
                                            "/tests/goldens/kinds/fmt_webp_named.jpg")
                         .pixels;
                   }});
    return all;
  }
  // What a failed save has left behind.
  std::string left_behind() {
    for (const auto& entry : fs::directory_iterator(out_))
      if (entry.path().filename() != "saved.safetensors") return entry.path().filename();
    return "";
  }

 private:
  Answer load() {
    const auto network = network::open_network({.weights = weights_});
    Answer out;
    for (const auto& [name, p] : network.parameters) append(out, p.value);
    return out;
  }
  Answer infer() {
    Plan plan(model_.graph, parameters_, PlanOptions::inference({1, 3, 16, 16}));
    plan.run(noise({1, 3, 16, 16}, 1));
    Answer out;
    append(out, plan.output("logits"));
    return out;
  }
  Answer step() {
    Parameters own = parameters_.clone();
    Plan plan(model_.graph, own, PlanOptions::training({2, 3, 16, 16}));
    train::Sgd sgd(plan, {.momentum = 0.9});
    plan.run(noise({2, 3, 16, 16}, 2));
    const std::vector<float> diff = {0.5f, -0.5f, -0.25f, 0.25f};
    sgd.step(diff, 0.1);
    plan.store(own);
    Answer out;
    for (const auto& [name, p] : own) append(out, p.value);
    return out;
  }
  Answer save() {
    const std::string path = (out_ / "saved.safetensors").string();
    train::save_weights(path, parameters_, {{"limbic.model", "resnet8"}});
    const std::string hash = sha256_of_file(path);
    return {hash.begin(), hash.end()};
  }
  Answer svm() {
    const Tensor x = noise({40, 5}, 3);
    std::vector<int> labels;
    for (int i = 0; i < 40; ++i) labels.push_back(i % 3);
    const svm::SvcModel model = svm::train_svc(x, labels, {.C = 2, .calibration_folds = 2});
    Answer out;
    append(out, svm::decision_values(model, x));
    append(out, svm::probabilities(model, x));
    return out;
  }

  testing::TemporaryFolder folder_;
  std::string weights_ = folder_ / "weights.safetensors";
  fs::path out_ = folder_.path / "out";
  models::Model model_;
  Parameters parameters_;
};

struct Options {
  int64_t from = 1, every = 0;  // 0: see above
  int threads = 1;
  std::string work;
};

struct Count {
  int64_t failed = 0, spared = 0, unharmed = 0;
};

// "" where the work, its n-th allocation failing, ended as it should.
std::string disturbed(const Work& work, int64_t n, const Answer& expected, Count& count) {
  failed = spared = false;
  std::string wrong;
  left = n;
  try {
    const Answer got = work.run();
    left = 0;
    count.unharmed += failed;
    if (got != expected) wrong = "gives something else";
  } catch (const std::bad_alloc&) {
    left = 0;
  } catch (const Error&) {
    left = 0;
  } catch (const std::exception& e) {
    left = 0;
    wrong = str_cat("throws another exception: ", e.what());
  }
  count.failed += failed;
  count.spared += spared;
  return wrong;
}

int64_t next(int64_t n, int64_t all, const Options& o) {
  const int64_t last = all - 20;  // where files get their names
  if (n >= last) return n + 1;
  const int64_t step = o.every > 0 ? o.every : n < 2000 ? 1 : 50;
  return std::min(n + step, last);
}

int check(World& world, const Work& work, const Options& o) {
  work.run();  // what is made once
  const Answer expected = work.run();
  made = 0;
  work.run();
  const int64_t all = made;
  Count count;
  int wrong = 0;
  for (int64_t n = o.from; n <= all && wrong < 5; n = next(n, all, o)) {
    if (std::getenv("LIMBIC_VERBOSE")) std::cerr << work.name << " " << n << std::endl;
    std::string what = disturbed(work, n, expected, count);
    if (const std::string file = world.left_behind(); what.empty() && !file.empty())
      what = "leaves " + file;
    if (what.empty() && work.run() != expected) what = "spoils the next run";
    if (what.empty()) continue;
    ++wrong;
    std::cout << work.name << ": allocation " << n << " of " << all << " failing: " << what << "\n";
  }
  std::cout << work.name << ": " << all << " allocations, " << count.failed << " failed, "
            << count.unharmed << " of them unnoticed, " << count.spared
            << " spared in oneDNN and nlohmann's destructors\n";
  if (count.failed == 0) std::cout << work.name << ": nothing failed, which tests nothing\n";
  return wrong + (count.failed == 0);
}

}  // namespace
}  // namespace limbic::generators

int main(int argc, char** argv) {
  find_destructors();
  using namespace limbic::generators;
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--every")
      o.every = std::atoll(argv[i + 1]);
    else if (option == "--from")
      o.from = std::atoll(argv[i + 1]);
    else if (option == "--threads")
      o.threads = std::atoi(argv[i + 1]);
    else if (option == "--work")
      o.work = argv[i + 1];
    else if (option == "--others")
      everywhere = true;
    else
      return std::cerr << "failing_allocations: unknown option " << option << "\n", 2;
  }
  limbic::set_threads(o.threads);
  void* warm[4];
  ::backtrace(warm, 4);  // loads what it needs
  World world;
  int wrong = 0;
  for (const Work& work : world.works())
    if (o.work.empty() || o.work == work.name) wrong += check(world, work, o);
  std::cout << (wrong ? "FAILED" : "every failed allocation ended in one exception") << "\n";
  return wrong > 0;
}
