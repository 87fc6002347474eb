// Writes pages for check_pages.py: write_pages FOLDER
#include <fstream>

#include "tests/report/sample.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const auto write = [&](const char* name, const limbic::report::Report& report) {
    std::ofstream(folder + "/" + name + ".html") << render_html(report);
    std::ofstream(folder + "/" + name + ".md") << render_markdown(report);
    std::ofstream(folder + "/" + name + ".tex") << render_latex(report);
    std::ofstream csv(folder + "/" + name + ".csv");
    for (const auto& table : tables_of(report)) csv << render_csv(table) << "\n";
  };
  write("sample", limbic::testing::sample_report());
  write("hostile", limbic::testing::hostile_report());
  std::ofstream(folder + "/pipeline.svg")
      << draw_pipeline(limbic::testing::sample_pipeline(), false);
}
