#include "limbic/baselines/baselines.h"

#include "limbic/baselines/rows.h"

namespace limbic::baselines {

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {sift_row(),          hog_row(),     sentibank_row(),
                                         deepsentibank_row(), alexnet_row(), binary_assisted_row(),
                                         liteemo_row()};
  return table;
}

const Row& find_row(const std::string& name) {
  std::string known;
  for (const Row& row : rows()) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + row.name;
  }
  fail("unknown baseline '", name, "'; known are ", known);
}

}  // namespace limbic::baselines
