#include "svm/libsvm_format.h"

#include <algorithm>
#include <limits>
#include <ostream>

#include "nn/core/file.h"
#include "svm/text.h"

namespace limbic {
namespace {

constexpr int64_t max_classes = 65535;

int label_of(const LineReader& reader, std::string_view text) {
  return static_cast<int>(reader.whole(text, "a label", std::numeric_limits<int>::min(),
                                       std::numeric_limits<int>::max()));
}

// The lines above "SV", then one line a support vector.
class ModelReader {
 public:
  explicit ModelReader(const std::string& path) : path_(path), reader_(path) {}

  SvcModel read() {
    while (true) {
      if (!reader_.next_line()) reader_.refuse("the file ends before its line 'SV'");
      const std::string_view key = reader_.word();
      if (key == "SV") break;
      read_header_line(key);
      if (!reader_.at_end_of_line()) reader_.refuse("unexpected words after '", key, "'");
    }
    check_header();
    read_support_vectors();
    return std::move(model_);
  }

 private:
  void read_header_line(std::string_view key) {
    if (key == "svm_type") {
      expect_word("c_svc");
    } else if (key == "kernel_type") {
      const std::string_view type = reader_.word();
      if (type != "rbf" && type != "linear")
        reader_.refuse("expected kernel_type rbf or linear, got another");
      model_.kernel = type == "rbf" ? KernelType::rbf : KernelType::linear;
      has_kernel_ = true;
    } else if (key == "gamma") {
      model_.gamma = reader_.number(reader_.word(), "gamma");
      if (!(model_.gamma > 0)) reader_.refuse("expected gamma > 0, got ", model_.gamma);
      has_gamma_ = true;
    } else if (key == "nr_class") {
      n_classes_ = reader_.whole(reader_.word(), "nr_class", 2, max_classes);
    } else if (key == "total_sv") {
      total_ = reader_.whole(reader_.word(), "total_sv", 0, reader_.bytes());
    } else if (key == "rho") {
      model_.rho.clear();
      while (!reader_.at_end_of_line()) model_.rho.push_back(reader_.number(reader_.word(), "rho"));
    } else if (key == "label") {
      model_.classes.clear();
      while (!reader_.at_end_of_line()) model_.classes.push_back(label_of(reader_, reader_.word()));
    } else if (key == "nr_sv") {
      model_.n_sv.clear();
      while (!reader_.at_end_of_line())
        model_.n_sv.push_back(reader_.whole(reader_.word(), "nr_sv", 0, reader_.bytes()));
    } else if (key == "probA" || key == "probB" || key == "prob_density_marks") {
      while (!reader_.at_end_of_line()) reader_.word();
    } else {
      reader_.refuse("not a line of a LIBSVM model");
    }
  }

  void expect_word(std::string_view expected) {
    if (reader_.word() != expected)
      reader_.refuse("expected svm_type ", expected, ", other types are not supported");
  }

  void check_header() {
    if (!has_kernel_ || n_classes_ == 0 || total_ < 0)
      reader_.refuse("kernel_type, nr_class and total_sv must come before 'SV'");
    if (model_.kernel == KernelType::rbf && !has_gamma_) reader_.refuse("an rbf model needs gamma");
    check_number("rho", std::ssize(model_.rho), n_classes_ * (n_classes_ - 1) / 2);
    check_number("label", std::ssize(model_.classes), n_classes_);
    check_number("nr_sv", std::ssize(model_.n_sv), n_classes_);
    std::vector<int> sorted = model_.classes;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
      reader_.refuse("a label is there twice");
    int64_t sum = 0;
    for (int64_t n : model_.n_sv) sum += n;
    check_number("support vectors in nr_sv", sum, total_);
    // Each coefficient and each row takes two bytes of the file at least.
    if (total_ * n_classes_ > reader_.bytes())
      reader_.refuse("the file is too short for ", total_, " support vectors");
  }

  void check_number(const char* what, int64_t got, int64_t expected) const {
    if (got != expected) reader_.refuse("expected ", expected, " ", what, ", got ", got);
  }

  void read_support_vectors() {
    model_.dual_coef = Tensor({n_classes_ - 1, total_}, DType::f64);
    SparseRows rows;
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
    model_.support_vectors = rows.dense(0, SvmDataOptions{}.budget_bytes, path_);
  }

  std::string path_;
  LineReader reader_;
  SvcModel model_;
  int64_t n_classes_ = 0, total_ = -1;
  bool has_kernel_ = false, has_gamma_ = false;
};

template <class Values>
void write_list(std::ostream& out, const char* key, const Values& values) {
  out << key;
  for (const auto& value : values) out << ' ' << value;
  out << '\n';
}

}  // namespace

SvmData read_svm_data(const std::string& path, const SvmDataOptions& options) {
  LineReader reader(path);
  SvmData out;
  SparseRows rows;
  bool blank = false;
  while (reader.next_line()) {
    if (reader.at_end_of_line()) {
      blank = true;  // allowed at the end of the file alone
      continue;
    }
    if (blank) reader.refuse("the line before is empty, expected 'label index:value ...'");
    out.labels.push_back(label_of(reader, reader.word()));
    rows.add_row(reader);
  }
  require(!out.labels.empty(), path, ":1: no samples; expected lines 'label index:value ...'");
  out.x = rows.dense(options.min_features, options.budget_bytes, path);
  return out;
}

void write_svm_data(const std::string& path, const SvmData& data) {
  require(data.x.rank() == 2 && data.x.dim(0) == std::ssize(data.labels), path, ": features ",
          to_string(data.x.shape()), " do not fit ", data.labels.size(), " labels");
  write_atomically(path, [&](std::ostream& out) {
    const int64_t d = data.x.dim(1);
    for (int64_t i = 0; i < data.x.dim(0); ++i)
      out << std::to_string(data.labels[static_cast<size_t>(i)])
          << format_row(data.x.data() + i * d, d) << '\n';
  });
}

SvcModel read_svm_model(const std::string& path) { return ModelReader(path).read(); }

void write_svm_model(const std::string& path, const SvcModel& model) {
  const int64_t total = model.support_vectors.dim(0), d = model.features();
  const auto precise = [](const std::vector<double>& values) {
    std::vector<std::string> out;
    for (double value : values) out.push_back(format_number(value, 17));
    return out;
  };
  const auto text = [](const auto& values) {
    std::vector<std::string> out;  // a stream would group digits after its locale
    for (auto value : values) out.push_back(std::to_string(value));
    return out;
  };
  write_atomically(path, [&](std::ostream& out) {
    const bool rbf = model.kernel == KernelType::rbf;
    out << "svm_type c_svc\nkernel_type " << (rbf ? "rbf" : "linear") << '\n';
    if (rbf) out << "gamma " << format_number(model.gamma, 17) << '\n';
    out << "nr_class " << std::to_string(model.classes.size()) << '\n';
    out << "total_sv " << std::to_string(total) << '\n';
    write_list(out, "rho", precise(model.rho));
    write_list(out, "label", text(model.classes));
    write_list(out, "nr_sv", text(model.n_sv));
    out << "SV\n";
    const double* coef = model.dual_coef.data<double>();
    for (int64_t row = 0; row < total; ++row) {
      for (int64_t c = 0; c < model.dual_coef.dim(0); ++c)
        out << (c ? " " : "") << format_number(coef[c * total + row], 17);
      out << format_row(model.support_vectors.data() + row * d, d) << '\n';
    }
  });
}

void widen(SvcModel& model, int64_t features) {
  const int64_t d = model.features(), total = model.support_vectors.dim(0);
  if (features <= d) return;
  Tensor wide({total, features});
  for (int64_t row = 0; row < total; ++row)
    std::copy_n(model.support_vectors.data() + row * d, d, wide.data() + row * features);
  model.support_vectors = wide;
}

}  // namespace limbic
