// Markdown, LaTeX, CSV, and the figure.
#include <doctest/doctest.h>

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/report/text.h"
#include "tests/report/sample.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::report;
using namespace limbic::testing;

namespace {

int64_t count(const std::string& text, const std::string& part) {
  int64_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

Report::Table small(const std::string& text) {
  return {"T", "E", {{"name"}, {"value", true}}, {{text, "70.1"}, {"b", "-0.5"}}, {{0, 1}}, {"F"}};
}

Report with(Report::Table table) {
  Report report{.title = "R", .subtitle = "c", .sections = {}};
  report.add(std::move(table));
  return report;
}

}  // namespace

TEST_CASE("markdown: tables as GitHub has them, whatever the names") {
  CHECK(render_markdown(with(small("a"))) ==
        "# R\n\nc\n\n## T\n\n| name | value |\n| --- | ---: |\n| a | **70.1** |\n| b | \\-0.5 |\n\n"
        "E\n\nF\n\n");
  CHECK(escape_markdown("a|b\nc") == "a\\|b c");
  CHECK(escape_markdown("[x](http://y) `*_#~$@\\") ==
        "\\[x\\](http\\://y) \\`\\*\\_\\#\\~\\$\\@\\\\");
  CHECK(escape_markdown("www.x.y <b> &") == "www\\.x.y &lt;b&gt; &amp;");
  CHECK(escape_markdown("- a") == "\\- a");
  CHECK(escape_markdown("12. a") == "12\\. a");
  CHECK(escape_markdown("12.5") == "12.5");
  CHECK(escape_markdown("\xFF") == "\uFFFD");
}

TEST_CASE("latex: booktabs, and no character that TeX would run") {
  CHECK(render_latex(with(small("a&b"))) ==
        "% needs \\usepackage{booktabs}\n\\section*{R}\n\\noindent\\texttt{c}\n\n"
        "\\begin{table}[htbp]\n\\centering\n\\caption{T}\n\\begin{tabular}{lr}\n\\toprule\n"
        "{name} & {value} \\\\\n\\midrule\na\\&b & \\textbf{70.1} \\\\\nb & {-}0.5 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n\\par\\smallskip{\\footnotesize F}\n\\end{table}\nE\n\n");
  CHECK(escape_latex("\\input{x}%$#_^~") ==
        "\\textbackslash{}input\\{x\\}\\%\\$\\#\\_\\textasciicircum{}\\textasciitilde{}");
  CHECK(escape_latex("\u03b1\u00d72\u22121 gr\u00fc\u00df \u6f22\u00a0") ==
        "$\\alpha$$\\times$2$-$1 gr\u00fc\u00df ??");
  CHECK(escape_latex("a\n\nb\xFF") == "a  b?");  // no paragraph within an argument
  const std::string all = render_latex(hostile_report());
  CHECK_FALSE(contains(all, "\\textbf{z}"));
  CHECK(count(all, "\\begin{") == count(all, "\\end{"));
  // Braces that are not escaped are balanced.
  int64_t depth = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == '\\') {
      ++i;
      continue;
    }
    depth += all[i] == '{' ? 1 : all[i] == '}' ? -1 : 0;
    REQUIRE(depth >= 0);
  }
  CHECK(depth == 0);
}

TEST_CASE("csv: RFC 4180, and no formula") {
  CHECK(render_csv(small("a")) == "name,value\na,70.1\nb,-0.5\n");
  CHECK(render_csv(small("a,\"b\"\nc")) == "name,value\n\"a,\"\"b\"\"\nc\",70.1\nb,-0.5\n");
  for (const char* formula : {"=1+1", "+1+1", "-cmd", "@x"}) {
    CAPTURE(formula);
    CHECK(render_csv(small(formula)) == "name,value\n'" + std::string(formula) + ",70.1\nb,-0.5\n");
  }
}

TEST_CASE("tables: of every section with numbers, in order") {
  const std::vector<Report::Table> tables = tables_of(sample_report());
  std::vector<std::string> titles;
  for (const auto& table : tables) titles.push_back(table.title);
  CHECK(titles == std::vector<std::string>{
                      "How often it was right", "The parts and the fusion",
                      "Table 1: what others reached", "Table 2: accuracy over alpha and C",
                      "Some of the pictures", "fusion, SVM", "fusion, dense layer", "two groups",
                      "Accuracy over alpha", "Training", "Validation", "Reliability"});
  CHECK(tables[1].rows[3] ==
        std::vector<std::string>{"fusion, SVM", "79.0 %", "74.0 % to 93.0 %", "480"});
  CHECK(tables[5].rows[0][1] == "300");   // the counts
  CHECK(tables[11].columns.size() == 5);  // with the band
  CHECK(tables[11].rows[0] == std::vector<std::string>{"SVM", "0.15", "0.1", "0.05", "0.18"});
  for (const auto& table : tables) {
    const std::string csv = render_csv(table);
    CHECK(static_cast<size_t>(count(csv, "\n")) == table.rows.size() + 1);
  }
  const std::string markdown = render_markdown(sample_report());
  for (const auto& table : tables) CHECK(contains(markdown, "## " + escape_markdown(table.title)));
  CHECK(contains(markdown, "Three networks, measured on 480 pictures."));
  CHECK(contains(markdown, "a vector of 4968"));
}

TEST_CASE("figure: every number of the model is drawn, wide and tall, and can be a file") {
  const PipelineFigure figure = sample_pipeline();
  for (const bool tall : {false, true}) {
    const std::string svg = draw_pipeline(figure, tall);
    for (const char* part :
         {"resnet101", "densenet201", "224\u00d7224\u00d73", ">X1<", ">S<", "GAP: 2,048",
          "softmax:", "\u03b1 = 0.5", "4,968 features", ">8 emotions<", "RBF kernel, C = 1.5"})
      CHECK_MESSAGE(contains(svg, part), part);
    CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    CHECK(count(svg, "<rect") == 1 + 3 + 3 + 1 + 2);
    CHECK(count(svg, "<path") == 2 * (3 + 3 + 3 + 2));
  }
  CHECK(count(draw_pipeline(figure), "<svg") == 2);
  CHECK(contains(describe_pipeline(figure),
                 "Diff-CNN2 (densenet201, 224x224x3), whose 1920 values behind GAP are X2, times "
                 "(1\u2212\u03b1) = 0.5 and supplement"));
  const std::string hostile =
      draw_pipeline({{{hostile_text, "a", 1, 1, "b", ""}}, 1, 1, {hostile_text, "x", "y"}}, false);
  CHECK_FALSE(contains(hostile, "<script"));
  CHECK_THROWS_AS(draw_pipeline({}), Error);
}
