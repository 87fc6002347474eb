#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "limbic/core/file.h"
#include "limbic/core/random.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

std::string write_text(const std::string& name, const std::string& text) {
  const std::string path = temporary(name);
  std::ofstream(path, std::ios::binary) << text;  // not flushed to disk, unlike write_atomically
  return path;
}

std::string read_text(const std::string& path) {
  const auto bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

template <class Read>
void check_error(Read&& read, const std::string& text, const std::string& part) {
  const std::string path = write_text("bad", text);
  std::string message = "no error";
  try {
    read(path);
  } catch (const Error& error) {
    message = error.what();
    CHECK(message.starts_with(path + ":"));
    CHECK(message.find('\n') == std::string::npos);
  }
  INFO(text);
  INFO(message);
  CHECK(message.find(part) != std::string::npos);
}

void refuse_data(const std::string& text, const std::string& part) {
  check_error([](const std::string& path) { read_svm_data(path); }, text, part);
}

void refuse_model(const std::string& text, const std::string& part) {
  check_error([](const std::string& path) { read_svm_model(path); }, text, part);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::equal(static_cast<char*>(a.raw()), static_cast<char*>(a.raw()) + a.bytes(),
                    static_cast<char*>(b.raw()));
}

const std::string good_model =
    "svm_type c_svc\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho 0.25\nlabel 1 -1\n"
    "nr_sv 1 1\nSV\n1 1:0.5 3:2\n-1 2:1\n";

std::string changed(const std::string& from, const std::string& to) {
  std::string out = good_model;
  out.replace(out.find(from), from.size(), to);
  return out;
}

}  // namespace

TEST_CASE("svm data: sparse, ragged lines become a dense matrix") {
  const std::string path =
      write_text("data", "+1 1:0.5 3:-2e-1\r\n-1\n3 \t2:+7  5:1\n2.0 1:.5\n\n");
  const SvmData data = read_svm_data(path);
  CHECK(data.labels == std::vector<int>{1, -1, 3, 2});
  REQUIRE(data.x.shape() == Shape{4, 5});
  CHECK(data.x.data()[0] == 0.5f);
  CHECK(data.x.data()[2] == -0.2f);
  CHECK(data.x.data()[11] == 7);
  CHECK(data.x.data()[14] == 1);
  CHECK(data.x.data()[15] == 0.5f);
  CHECK(read_svm_data(path, {.last_index = 9}).x.dim(1) == 9);
  CHECK(read_svm_data(path, {.last_index = 2}).x.dim(1) == 5);
  // One sample is a file.
  const SvmData one = read_svm_data(write_text("one", "7 2:0.5\n"));
  CHECK(one.x.shape() == Shape{1, 2});
  CHECK(one.labels == std::vector<int>{7});
}

TEST_CASE("svm data: as LIBSVM reads it") {
  const auto read = [](const std::string& text, const SvmDataOptions& options = {}) {
    return read_svm_data(write_text("limbic_habits", text), options);
  };
  const SvmData commented = read("1 1:1 3:3 # 2:2 or not\n2 1: 4 3:5\n");
  CHECK(commented.x.shape() == Shape{2, 3});
  CHECK(commented.x.data()[1] == 0);
  CHECK(commented.x.data()[3] == 4);
  const SvmData any = read("nan 1:1\n0.5 1:1\nwhat 1:1\n+3 1:1\n", {.any_label = true});
  CHECK(std::isnan(any.targets[0]));
  CHECK(any.targets[1] == 0.5);
  CHECK(std::isnan(any.targets[2]));
  CHECK(any.targets[3] == 3);
  const SvmData exact = read("1 1:1700000001\n", {.f64 = true});
  CHECK(exact.x.dtype() == DType::f64);
  CHECK(exact.x.data<double>()[0] == 1700000001);
}

TEST_CASE("svm data: hostile text is refused with file and line") {
  refuse_data("", ":1: no samples");
  refuse_data("\n\n", ":1: no samples");
  refuse_data("1 1:1\n\n1 1:1\n", ":3: the line before is empty");
  refuse_data("1 1:1\nx 1:1\n", ":2: expected a label");
  refuse_data("1.5 1:1", "a whole number");
  refuse_data("3000000000 1:1", "a whole number");
  refuse_data("nan 1:1", "expected a label");
  refuse_data("1 1", "expected index:value, got '1'");
  refuse_data("1 1:", "expected a value");
  refuse_data("1 :1", "expected an index");
  refuse_data("1 -1:1", "from 0 to 2147483647");
  refuse_data("1 1.0:1", "expected an index");
  refuse_data("1 1:1e-320", "0 or at least 2.2e-308");
  refuse_data("1 2147483648:1", "from 0 to 2147483647");
  refuse_data("1 99999999999999999999:1", "from 0 to 2147483647");
  refuse_data("1 2:1 1:1", "indices must ascend, got 1 after 2");
  refuse_data("1 2:1 2:1", "indices must ascend");
  refuse_data("1 1:nan", "a finite number, got 'nan'");
  refuse_data("1 1:inf", "a finite number");
  refuse_data("1 1:1e999", "a finite number");
  refuse_data("1 1:1e39", "single precision");
  refuse_data("1 1:0x10", "a finite number");
  refuse_data("1 1:1,5", "a finite number, got '1,5'");
  refuse_data("1 1:+-1", "a finite number");
  refuse_data(std::string("1 1:1\0", 6), "a finite number");
  refuse_data("1 1:1\n1 2147483647:1", "GB may be used");
  CHECK_THROWS_AS(read_svm_data(temporary("missing")), Error);
}

TEST_CASE("svm data: what is written is read again bit for bit, in any locale") {
  Random random(2);
  SvmData data{Tensor({20, 7}), {}};
  for (float& value : data.x.values())
    value = random.below(3) ? static_cast<float>(random.normal() * 1e-3) : 0.0f;
  data.x.data()[6] = std::numeric_limits<float>::max();
  data.x.data()[13] = std::numeric_limits<float>::denorm_min();
  for (int i = 0; i < 20; ++i) data.labels.push_back(i - 10);
  std::setlocale(LC_ALL, "de_DE.UTF-8");  // where it is installed
  const std::string path = temporary("written");
  write_svm_data(path, data);
  const SvmData read = read_svm_data(path, {.last_index = 7});
  std::setlocale(LC_ALL, "C");
  CHECK(equal(read.x, data.x));
  CHECK(read.labels == data.labels);
}

TEST_CASE("svm model: LIBSVM's file survives reading and writing") {
  for (const std::string name : golden_cases) {
    CAPTURE(name);
    const SvcModel model = read_svm_model(golden_path(name + ".model"));
    const std::string path = temporary("model");
    write_svm_model(path, model);
    const SvcModel again = read_svm_model(path);
    CHECK(again.kernel == model.kernel);
    CHECK(again.gamma == model.gamma);
    CHECK(again.classes == model.classes);
    CHECK(again.n_sv == model.n_sv);
    CHECK(again.rho == model.rho);
    CHECK(equal(again.dual_coef, model.dual_coef));
    CHECK(equal(again.support_vectors, model.support_vectors));
    const std::string written = read_text(path);
    write_svm_model(path, again);
    CHECK(read_text(path) == written);
  }
}

TEST_CASE("svm model: a model of ours decides the same after its round trip") {
  const Golden golden("eight");
  const SvcModel model = train_svc(golden.data.x, golden.data.labels, golden.options);
  const std::string path = temporary("own");
  write_svm_model(path, model);
  SvcModel read = read_svm_model(path);
  widen(read, golden.data);
  CHECK(equal(decision_values(read, golden.data.x), decision_values(model, golden.data.x)));
}

TEST_CASE("svm model: hostile text is refused with file and line") {
  const std::string path = write_text("good", good_model);
  CHECK(read_svm_model(path).support_vectors.shape() == Shape{2, 3});
  for (size_t size = 0; size + 7 < good_model.size(); ++size)
    refuse_model(good_model.substr(0, size), ":");
  refuse_model(changed("c_svc", "nu_svc"), "svm_type c_svc");
  refuse_model(changed("c_svc", "epsilon_svr"), "a classifier");
  refuse_model(changed("rbf", "sigmoid"), ":2: expected kernel_type");
  refuse_model(changed("gamma 0.5\n", ""), "needs gamma");
  refuse_model(changed("gamma 0.5", "gamma -1"), "gamma >= 0");
  refuse_model(changed("nr_class 2", "nr_class 1000000"), "nr_class, a whole number from 1");
  refuse_model(changed("nr_class 2", "nr_class 60000"), "1799970000 rho, got 1");
  refuse_model(changed("total_sv 2", "total_sv 1000000000"), "total_sv, a whole number");
  refuse_model(changed("total_sv 2", "total_sv 3"), "expected 3 support vectors in nr_sv, got 2");
  refuse_model(changed("label 1 -1", "label 1 1"), "twice");
  refuse_model(changed("label 1 -1", "label 1"), "expected 2 label, got 1");
  refuse_model(changed("rho 0.25", "rho 0.25 1"), "expected 1 rho, got 2");
  refuse_model(changed("nr_sv 1 1", "nr_sv 2 0 0"), "expected 2 nr_sv, got 3");
  refuse_model(changed("SV\n1 1:0.5", "SV\n1:0.5 1"), "a coefficient");
  refuse_model(changed("rho", "what"), "not a line of a LIBSVM model");
  refuse_model(good_model + "1 1:1\n", "more support vectors");
}

namespace {

std::string mutated(std::string text, Random& random) {
  for (int64_t i = random.below(4); i >= 0 && !text.empty(); --i) {
    const auto at = static_cast<size_t>(random.below(std::ssize(text)));
    switch (random.below(4)) {
      case 0:
        text[at] = "0123456789-+.e: \nx"[random.below(18)];
        break;
      case 1:
        text.erase(at, static_cast<size_t>(1 + random.below(3)));
        break;
      case 2:
        text[at] = static_cast<char>(random.below(256));
        break;
      default:
        text.insert(at, text.substr(at, static_cast<size_t>(random.below(40))));
    }
  }
  return text;
}

// Reads what may be a model and uses it; whether it was one.
bool use_model(const std::string& path) {
  auto any = read_any_svm_model(path);
  if (auto* svr = std::get_if<SvrModel>(&any)) {
    predict(*svr, Tensor({1, std::max<int64_t>(svr->features(), 1)}));
  } else {
    auto& svc = std::get<SvcModel>(any);
    const Tensor x({1, svc.features()});
    predict(svc, x);
    if (!svc.prob_a.empty()) pairwise_probabilities(svc, x);
  }
  return true;
}

}  // namespace

// LIMBIC_MUTATIONS sets their number.
TEST_CASE("svm files: mutated data and models either read or throw Error") {
  const std::vector<std::string> models{
      good_model,
      changed("label 1 -1\n", "label 1 -1\nprobA -1.5\nprobB 0.1\n"),
      changed("rbf\n", "polynomial\ndegree 3\ncoef0 1\n"),
      changed("rbf\ngamma 0.5\n", "linear\n"),
      "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho 0.25\nSV\n"
      "0.5 1:0.5 3:2\n-0.5 2:1\n",
      "svm_type c_svc\nkernel_type precomputed\nnr_class 2\ntotal_sv 2\nrho 0.25\nlabel 1 -1\n"
      "nr_sv 1 1\nSV\n1 0:1\n-1 0:2\n"};
  const std::string data = "1 1:0.5 3:-2e-1\n-1 2:4\n1 1:.5 2:1e3 7:2\n-1 3:1\n";
  const char* count = std::getenv("LIMBIC_MUTATIONS");
  const int mutations = count ? std::atoi(count) : 2000;
  Random random(5);
  int models_read = 0, data_read = 0;
  for (int round = 0; round < mutations; ++round) {
    const auto kind = static_cast<size_t>(random.below(std::ssize(models)));
    const std::string path = write_text("fuzz", mutated(models[kind], random));
    try {
      models_read += use_model(path);
    } catch (const Error&) {
    }
    write_text("fuzz", mutated(data, random));
    try {
      const SvmData read = read_svm_data(path, {.first_index = round % 3 ? 1 : 0,
                                                .budget_bytes = 1 << 20,
                                                .real_labels = round % 2 == 1});
      ++data_read;
      if (read.x.dim(1) > 64) continue;
      if (read.targets.empty())
        train_svc(read.x, read.labels, {.max_iterations = 100});
      else
        train_svr(read.x, read.targets, {.max_iterations = 100});
    } catch (const Error&) {
    }
  }
  CHECK(models_read > mutations / 200);  // most mutations make no model
  CHECK(data_read > mutations / 50);
}
