#include <cstdio>
#include <filesystem>
#include <ostream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/utf8.h"
#include "limbic/reproduce/json.h"
#include "limbic/reproduce/page.h"

namespace limbic::reproduce {
namespace {

// "Table 2: alpha" -> "table-2-alpha".
std::string file_name(const std::string& title) {
  std::string out;
  for (const char c : io::lower_ascii(title)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
    if (out.size() >= 48) break;
  }
  while (out.ends_with('-')) out.pop_back();
  return out;
}

}  // namespace

void write_results(const Study& study, const Options& options, const std::string& command) {
  const std::string& dir = options.fit.out;
  const report::Report page = page_of(study, options, command);
  const auto write = [&](const std::string& name, const std::string& text) {
    write_atomically(dir + "/" + name, [&](std::ostream& out) { out << text; });
  };
  write("reproduce.html", report::render_html(page));
  write("reproduce.md", report::render_markdown(page));
  write("reproduce.tex", report::render_latex(page));
  write("reproduce.json", json_of(study, options, command)
                                  .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                              "\n");
  std::error_code error;
  std::filesystem::remove_all(dir + "/csv", error);  // of an earlier page, which may have had more
  std::filesystem::create_directories(dir + "/csv", error);
  require(!error, dir, "/csv: cannot make the folder: ", error.message());
  int number = 0;
  for (const report::Report::Table& table : report::tables_of(page)) {
    char prefix[16];
    std::snprintf(prefix, sizeof prefix, "%02d-", ++number);
    write("csv/" + std::string(prefix) + file_name(table.title) + ".csv",
          report::render_csv(table));
  }
}

}  // namespace limbic::reproduce
