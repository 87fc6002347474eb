// LIBSVM's formats, and the tensors that stand for them.
#include "limbic/svm/libsvm_format.h"

#include "limbic/cli/svm_data.h"
#include "limbic/cli/svm_ranges.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

constexpr int64_t budget = int64_t{32} << 20;

void read_data(const Bytes& bytes) {
  const MemoryFile file(bytes);
  svm::read_svm_data(file.path(), {.budget_bytes = budget, .any_label = true});
  svm::read_svm_data(file.path(), {.budget_bytes = budget, .real_labels = true, .f64 = true});
  svm::read_svm_data(file.path(), {.budget_bytes = budget});
}

// And says something of a sample.
void read_model(const Bytes& bytes) {
  const MemoryFile file(bytes);
  auto any = svm::read_any_svm_model(file.path());
  std::visit(
      [](auto& model) {
        const Tensor x({1, model.features()});
        svm::widen(model, {x, {}});
        svm::predict(model, Tensor({1, model.features()}));
      },
      any);
}

void read_ranges(const Bytes& bytes) {
  const MemoryFile file(bytes);
  std::string lacking;
  cli::restore_ranges(file.path(), {Tensor({1, 4}, DType::f64), {}}, lacking);
}

// As `limbic extract` writes them; the reader asks for the ending.
void read_tensors(const Bytes& bytes) {
  static const MemoryFolder folder;
  folder.write("x.safetensors", bytes);
  for (const bool real : {true, false})
    cli::read_svm_input(folder / "x.safetensors", {.real_labels = real, .f64 = real});
}

std::vector<Bytes> head_of(std::vector<Bytes> files) {
  for (Bytes& bytes : files) {
    bytes.resize(std::min<size_t>(bytes.size(), 600));
    while (!bytes.empty() && bytes.back() != '\n') bytes.pop_back();
  }
  return files;
}

std::vector<Bytes> data() {
  std::vector<Bytes> out =
      head_of(goldens({"svm/iris.data", "svm/contradictory.data", "svm/wine_raw.data"}));
  out.push_back(bytes_of("1 1:0.5 2: 3 # comment\n-1 3:1e-3\n0.5 0:2\n\n"));
  return out;
}

std::vector<Bytes> models() {
  return {bytes_of("svm_type c_svc\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho 0.1\n"
                   "label 1 -1\nprobA -1.5\nprobB 0.2\nnr_sv 1 1\nSV\n1 1:0.5 3:1\n-1 2:0.25\n"),
          bytes_of("svm_type epsilon_svr\nkernel_type polynomial\ndegree 2\ngamma 1\ncoef0 1\n"
                   "nr_class 2\ntotal_sv 1\nrho 0.1\nSV\n0.5 1:1 2:2\n"),
          bytes_of("svm_type c_svc\nkernel_type precomputed\nnr_class 3\ntotal_sv 3\nrho 0 1 2\n"
                   "label 0 1 2\nnr_sv 1 1 1\nSV\n1 1 0:1\n-1 1 0:2\n1 -1 0:3\n")};
}

std::vector<Bytes> ranges() {
  return {bytes_of("x\n-1 1\n1 0 5\n2 -3 3\n4 1 2\n"),
          bytes_of("y\n0 1\n-5 5\nx\n-1 1\n0 0 5\n3 -1e3 1e3\n"),
          bytes_of("x\n-1 1\n60000000 0 1\n")};
}

std::vector<Bytes> tensors() {
  const std::string header = R"({"features":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]},)"
                             R"("labels":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})";
  std::string out(8, '\0');
  out[0] = static_cast<char>(header.size());
  out += header;
  return {bytes_of(out + std::string(40, '\0'))};
}

}  // namespace

std::vector<Target> svm_targets() {
  return {{"svm_data", read_data, data},
          {"svm_model", read_model, models},
          {"svm_ranges", read_ranges, ranges},
          {"svm_tensors", read_tensors, tensors}};
}

}  // namespace limbic::fuzz
