#include <algorithm>
#include <limits>
#include <ostream>

#include "limbic/core/file.h"
#include "limbic/svm/libsvm_format.h"
#include "limbic/svm/text.h"

namespace limbic::svm {
namespace {

constexpr int64_t max_classes = 65535;
constexpr const char* kernel_names[] = {"rbf", "linear", "polynomial", "precomputed"};

bool has_gamma(KernelType type) {
  return type == KernelType::rbf || type == KernelType::polynomial;
}

// The lines above "SV", then one line a support vector.
class ModelReader {
 public:
  explicit ModelReader(const std::string& path) : path_(path), reader_(path) {}

  std::variant<SvcModel, SvrModel> read() {
    while (true) {
      if (!reader_.next_line()) reader_.refuse("the file ends before its line 'SV'");
      const std::string_view key = reader_.word();
      if (key == "SV") break;
      read_header_line(key);
      if (!reader_.at_end_of_line()) reader_.refuse("unexpected words after '", key, "'");
    }
    check_header();
    read_support_vectors();
    if (!regression_) return std::move(model_);
    SvrModel out{.kernel = model_.kernel_options(), .support_vectors = model_.support_vectors};
    const auto coef = model_.dual_coef.values<double>();
    out.coef.assign(coef.begin(), coef.end());
    out.rho = model_.rho[0];
    out.first_index = model_.first_index;
    if (!model_.prob_a.empty()) out.error_scale = model_.prob_a[0];
    return out;
  }

 private:
  void read_header_line(std::string_view key) {
    if (key == "svm_type") {
      read_type();
    } else if (key == "kernel_type") {
      read_kernel();
    } else if (key == "gamma") {
      model_.gamma = reader_.number(reader_.word(), "gamma");
      if (model_.gamma < 0) reader_.refuse("expected gamma >= 0, got ", model_.gamma);
      has_gamma_ = true;
    } else if (key == "coef0") {
      model_.coef0 = reader_.number(reader_.word(), "coef0");
    } else if (key == "degree") {
      model_.degree = static_cast<int>(reader_.whole(reader_.word(), "degree", 0, 100));
    } else if (key == "nr_class") {
      n_classes_ = reader_.whole(reader_.word(), "nr_class", 1, max_classes);
    } else if (key == "total_sv") {
      total_ = reader_.whole(reader_.word(), "total_sv", 0, reader_.bytes());
    } else if (key == "rho") {
      model_.rho = read_numbers("rho");
    } else if (key == "label") {
      model_.classes.clear();
      while (!reader_.at_end_of_line())
        model_.classes.push_back(static_cast<int>(reader_.whole(reader_.word(), "a label",
                                                                std::numeric_limits<int>::min(),
                                                                std::numeric_limits<int>::max())));
    } else if (key == "nr_sv") {
      model_.n_sv.clear();
      while (!reader_.at_end_of_line())
        model_.n_sv.push_back(reader_.whole(reader_.word(), "nr_sv", 0, reader_.bytes()));
    } else if (key == "probA") {
      model_.prob_a = read_numbers("probA");
    } else if (key == "probB") {
      model_.prob_b = read_numbers("probB");
    } else if (key == "prob_density_marks") {
      while (!reader_.at_end_of_line()) reader_.word();
    } else {
      reader_.refuse("not a line of a LIBSVM model");
    }
  }

  void read_type() {
    const std::string_view type = reader_.word();
    if (type != "c_svc" && type != "epsilon_svr")
      reader_.refuse("expected svm_type c_svc or epsilon_svr, other types are not supported");
    regression_ = type == "epsilon_svr";
  }

  void read_kernel() {
    const std::string_view type = reader_.word();
    const auto found = std::find(std::begin(kernel_names), std::end(kernel_names), type);
    if (found == std::end(kernel_names))
      reader_.refuse("expected kernel_type linear, polynomial, rbf or precomputed, got another");
    model_.kernel = static_cast<KernelType>(found - std::begin(kernel_names));
    has_kernel_ = true;
  }

  std::vector<double> read_numbers(const char* what) {
    std::vector<double> out;
    while (!reader_.at_end_of_line()) out.push_back(reader_.number(reader_.word(), what));
    return out;
  }

  void check_header() {
    if (!has_kernel_ || n_classes_ == 0 || total_ < 0)
      reader_.refuse("kernel_type, nr_class and total_sv must come before 'SV'");
    if (has_gamma(model_.kernel) && !has_gamma_)
      reader_.refuse("an rbf or polynomial model needs gamma");
    if (regression_)
      check_regression();
    else
      check_classes();
    check_number("rho", std::ssize(model_.rho), n_classes_ * (n_classes_ - 1) / 2);
    // Each coefficient and each row takes two bytes of the file at least.
    if (total_ * n_classes_ > reader_.bytes())
      reader_.refuse("the file is too short for ", total_, " support vectors");
  }

  void check_regression() {
    check_number("nr_class of a regression", n_classes_, 2);
    if (model_.prob_a.empty()) return;
    check_number("probA of a regression", std::ssize(model_.prob_a), 1);
    if (model_.prob_a[0] < 0) reader_.refuse("expected probA >= 0, got ", model_.prob_a[0]);
  }

  void check_classes() {
    const int64_t pairs = n_classes_ * (n_classes_ - 1) / 2;
    check_number("rho", std::ssize(model_.rho), pairs);
    check_number("label", std::ssize(model_.classes), n_classes_);
    check_number("nr_sv", std::ssize(model_.n_sv), n_classes_);
    std::vector<int> sorted = model_.classes;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      reader_.refuse("a label is there twice");
    int64_t sum = 0;
    for (int64_t n : model_.n_sv) sum += n;
    check_number("support vectors in nr_sv", sum, total_);
    // One without the other is no probability model, as LIBSVM sees it.
    if (model_.prob_a.empty() || model_.prob_b.empty()) {
      model_.prob_a.clear();
      model_.prob_b.clear();
      return;
    }
    check_number("probA", std::ssize(model_.prob_a), pairs);
    check_number("probB", std::ssize(model_.prob_b), pairs);
  }

  void check_number(const char* what, int64_t got, int64_t expected) const {
    if (got != expected) reader_.refuse("expected ", expected, " ", what, ", got ", got);
  }

  void read_support_vectors() {
    model_.dual_coef = Tensor({n_classes_ - 1, total_}, DType::f64);
    const bool precomputed = model_.kernel == KernelType::precomputed;
    SparseRows rows(precomputed ? 0 : 1);
    for (int64_t row = 0; row < total_; ++row) {
      if (!reader_.next_line())
        reader_.refuse("expected ", total_, " support vectors, the file ends after ", row);
      for (int64_t c = 0; c < n_classes_ - 1; ++c)
        model_.dual_coef.data<double>()[c * total_ + row] =
            reader_.number(reader_.word(), "a coefficient");
      rows.add_row(reader_);
    }
    while (reader_.next_line())
      if (!reader_.at_end_of_line()) reader_.refuse("more support vectors than total_sv");
    model_.first_index = rows.first_index();
    model_.support_vectors = rows.dense(0, SvmDataOptions{}.budget_bytes, path_);
    if (precomputed && model_.features() != 1)
      reader_.refuse("support vectors of a precomputed kernel have index 0 alone");
  }

  std::string path_;
  LineReader reader_;
  SvcModel model_;
  int64_t n_classes_ = 0, total_ = -1;
  bool has_kernel_ = false, has_gamma_ = false, regression_ = false;
};

template <class Values>
void write_list(std::ostream& out, const char* key, const Values& values) {
  out << key;
  for (const auto& value : values) out << ' ' << value;
  out << '\n';
}

std::vector<std::string> precise(const std::vector<double>& values) {
  std::vector<std::string> out;
  for (double value : values) out.push_back(format_number(value, 17));
  return out;
}

// A stream would group digits after its locale.
template <class Values>
std::vector<std::string> text(const Values& values) {
  std::vector<std::string> out;
  for (auto value : values) out.push_back(std::to_string(value));
  return out;
}

void write_head(std::ostream& out, const char* type, const KernelOptions& kernel) {
  out << "svm_type " << type << "\nkernel_type " << kernel_names[static_cast<int>(kernel.type)]
      << '\n';
  if (kernel.type == KernelType::polynomial)
    out << "degree " << std::to_string(kernel.degree) << '\n';
  if (has_gamma(kernel.type)) out << "gamma " << format_number(kernel.gamma, 17) << '\n';
  if (kernel.type == KernelType::polynomial)
    out << "coef0 " << format_number(kernel.coef0, 17) << '\n';
}

// coef (rows of coefficients, total) and the support vectors behind them.
void write_rows(std::ostream& out, Matrix<const double> coef, const Tensor& vectors,
                int first_index) {
  out << "SV\n";
  const int64_t d = vectors.dim(1);
  for (int64_t row = 0; row < vectors.dim(0); ++row) {
    for (int64_t c = 0; c < coef.rows; ++c)
      out << (c ? " " : "") << format_number(coef.data[c * coef.stride + row], 17);
    out << format_row(vectors.data() + row * d, d, first_index) << '\n';
  }
}

template <class Model>
void widen_rows(Model& model, const SvmData& data) {
  const int64_t d = model.features(), total = model.support_vectors.dim(0);
  const int64_t before = std::max(model.first_index - data.first_index, 0);
  const int64_t features = std::max(data.x.dim(1), before + d);
  if (features == d) return;
  Tensor wide({total, features});
  for (int64_t row = 0; row < total; ++row)
    std::copy_n(model.support_vectors.data() + row * d, d, wide.data() + row * features + before);
  model.support_vectors = wide;
  model.first_index -= static_cast<int>(before);
}

}  // namespace

std::variant<SvcModel, SvrModel> read_any_svm_model(const std::string& path) {
  return ModelReader(path).read();
}

SvcModel read_svm_model(const std::string& path) {
  auto model = read_any_svm_model(path);
  require(std::holds_alternative<SvcModel>(model), path,
          ":1: expected svm_type c_svc, a classifier, got epsilon_svr");
  return std::get<SvcModel>(std::move(model));
}

void write_svm_model(const std::string& path, const SvcModel& model) {
  const int64_t total = model.support_vectors.dim(0);
  write_atomically(path, [&](std::ostream& out) {
    write_head(out, "c_svc", model.kernel_options());
    out << "nr_class " << std::to_string(model.classes.size()) << '\n';
    out << "total_sv " << std::to_string(total) << '\n';
    write_list(out, "rho", precise(model.rho));
    write_list(out, "label", text(model.classes));
    if (!model.prob_a.empty()) {
      write_list(out, "probA", precise(model.prob_a));
      write_list(out, "probB", precise(model.prob_b));
    }
    write_list(out, "nr_sv", text(model.n_sv));
    write_rows(out, {model.dual_coef.data<double>(), model.dual_coef.dim(0), total, total},
               model.support_vectors, model.first_index);
  });
}

void write_svm_model(const std::string& path, const SvrModel& model) {
  const int64_t total = std::ssize(model.coef);
  write_atomically(path, [&](std::ostream& out) {
    write_head(out, "epsilon_svr", model.kernel);
    out << "nr_class 2\ntotal_sv " << std::to_string(total) << '\n';
    out << "rho " << format_number(model.rho, 17) << '\n';
    if (model.error_scale) out << "probA " << format_number(*model.error_scale, 17) << '\n';
    write_rows(out, {model.coef.data(), 1, total, total}, model.support_vectors, model.first_index);
  });
}

void widen(SvcModel& model, const SvmData& data) {
  if (model.kernel != KernelType::precomputed) widen_rows(model, data);
}

void widen(SvrModel& model, const SvmData& data) {
  if (model.kernel.type != KernelType::precomputed) widen_rows(model, data);
}

}  // namespace limbic::svm
