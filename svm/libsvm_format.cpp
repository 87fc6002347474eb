#include "limbic/svm/libsvm_format.h"

#include <cmath>
#include <limits>
#include <ostream>

#include "limbic/core/file.h"
#include "limbic/svm/text.h"

namespace limbic::svm {
namespace {

int label_of(const LineReader& reader, std::string_view text) {
  const auto value = LineReader::parsed(text);
  if (value && *value != std::floor(*value) && std::isfinite(*value))
    reader.refuse("expected a label, a whole number, got ", *value, "; real targets need -s 3");
  return static_cast<int>(reader.whole(text, "a label", std::numeric_limits<int>::min(),
                                       std::numeric_limits<int>::max()));
}

}  // namespace

SvmData read_svm_data(const std::string& path, const SvmDataOptions& options) {
  LineReader reader(path);
  SvmData out;
  SparseRows rows(options.first_index);
  bool blank = false;
  while (reader.next_line()) {
    if (reader.at_end_of_line()) {
      blank = true;  // allowed at the end of the file alone
      continue;
    }
    if (blank) reader.refuse("the line before is empty, expected 'label index:value ...'");
    const std::string_view first = reader.word();
    if (options.any_label)
      out.targets.push_back(LineReader::parsed(first).value_or(NAN));
    else if (options.real_labels)
      out.targets.push_back(reader.number(first, "a target"));
    else
      out.labels.push_back(label_of(reader, first));
    rows.add_row(reader, options.f64);
  }
  require(rows.rows() > 0, path, ":1: no samples; expected lines 'label index:value ...'");
  out.first_index = rows.first_index();
  if (!options.f64) out.coarse_feature = rows.coarse_feature();
  out.x = rows.dense(options.last_index, options.budget_bytes, path,
                     options.f64 ? DType::f64 : DType::f32);
  return out;
}

void write_svm_data(const std::string& path, const SvmData& data) {
  require(data.x.rank() == 2 && data.x.dim(0) == std::ssize(data.labels), path, ": features ",
          to_string(data.x.shape()), " do not fit ", data.labels.size(), " labels");
  write_atomically(path, [&](std::ostream& out) {
    const int64_t d = data.x.dim(1);
    for (int64_t i = 0; i < data.x.dim(0); ++i)
      out << std::to_string(data.labels[static_cast<size_t>(i)])
          << format_row(data.x.data() + i * d, d, data.first_index) << '\n';
  });
}

}  // namespace limbic::svm
