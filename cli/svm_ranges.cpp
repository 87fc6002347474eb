#include "limbic/cli/svm_ranges.h"

#include <cmath>
#include <ostream>
#include <set>
#include <sstream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"

namespace limbic::cli {

void save_ranges(const Ranges& r, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out.precision(17);
    if (const auto& y = r.target)
      out << "y\n" << y->lower << ' ' << y->upper << '\n' << y->min << ' ' << y->max << '\n';
    out << "x\n" << r.lower << ' ' << r.upper << '\n';
    for (const auto& [index, range] : r.features)
      out << index << ' ' << range.min << ' ' << range.max << '\n';
  });
}

Ranges restore_ranges(const std::string& path, const svm::SvmData& data, std::string& lacking) {
  const auto bytes = read_file(path, int64_t{256} << 20);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  std::string head;
  Ranges r;
  in >> head;
  if (head == "y") {
    Range y;
    require(in >> y.lower >> y.upper >> y.min >> y.max >> head && y.lower < y.upper, path,
            ": damaged in its part 'y'");
    r.target = y;
  }
  require(head == "x" && in >> r.lower >> r.upper && r.lower < r.upper, path,
          ": not a range file of svm-scale -s");
  std::set<int64_t> known;
  for (int64_t index = 0; in >> index;) {
    Range range{0, 0, r.lower, r.upper};
    require(in >> range.min >> range.max && index >= 0 && index <= INT32_MAX &&
                std::isfinite(range.min) && std::isfinite(range.max),
            path, ": damaged at feature ", index);
    known.insert(index);
    r.features[index] = range;
  }
  require(in.eof(), path, ": expected lines 'index min max'");
  std::erase_if(r.features, [](const auto& feature) { return !feature.second.varies(); });
  for (int64_t j = data.first_index; j < data.first_index + data.x.dim(1); ++j)
    if (!known.contains(j) && lacking.size() < 60)
      lacking += str_cat(lacking.empty() ? "" : ", ", j);
  return r;
}

}  // namespace limbic::cli
