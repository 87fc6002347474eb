#include "limbic/report/style.h"

namespace limbic::report {
namespace {

// --c: lines and bars, after Okabe and Ito (2008), each 3.5:1 or more on the card; --h, --t: a
// matrix's cells from none to all and their text, 4.5:1 or more.
constexpr const char* light = R"css(color-scheme: light;
  --page: #f7f6f3; --card: #ffffff; --ink: #22242a; --soft: #5d626d; --rule: #dfddd6;
  --good: #1c7f4f; --bad: #b3372f; --accent: #0072b2; --bar: #4594c8; --box: #eef3f8;
  --c0: #0072b2; --c1: #d55e00; --c2: #008a63; --c3: #b8578f; --c4: #a86e00; --c5: #2f8fc4;
  --c6: #33363d;
  --h0: #f2f4f7; --h1: #cce0ef; --h2: #a6cce6; --h3: #80b9de; --h4: #5aa5d6; --h5: #458cbb;
  --h6: #3072a0; --h7: #1b5986; --h8: #06406b;
  --t0: #000; --t1: #000; --t2: #000; --t3: #000; --t4: #000; --t5: #000; --t6: #fff;
  --t7: #fff; --t8: #fff;)css";
constexpr const char* dark = R"css(color-scheme: dark;
  --page: #16181d; --card: #1f2229; --ink: #e7e8ea; --soft: #a0a6b2; --rule: #3a404c;
  --good: #5fd39a; --bad: #ff8a80; --accent: #6cb8ef; --bar: #2c6f9e; --box: #2a303b;
  --c0: #6cb8ef; --c1: #ff8a4c; --c2: #2fc79a; --c3: #e59bc4; --c4: #f0b429; --c5: #9fd4f5;
  --c6: #e7e8ea;
  --h0: #2a2e37; --h1: #2a3e51; --h2: #2b4e6a; --h3: #2c5f84; --h4: #2c6f9e; --h5: #4587b6;
  --h6: #5ea0ce; --h7: #76b8e7; --h8: #8fd0ff;
  --t0: #fff; --t1: #fff; --t2: #fff; --t3: #fff; --t4: #fff; --t5: #000; --t6: #000;
  --t7: #000; --t8: #000;)css";

constexpr const char* common = R"css(
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.02em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .75rem; overflow-wrap: anywhere; }
code { font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--soft);
  overflow-wrap: anywhere; white-space: pre-wrap; }
code span { display: inline-block; max-width: 100%; }
p { margin: .6rem 0; max-width: 46rem; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 1.25rem 1.4rem; margin: 1.25rem 0; min-width: 0; }
.explanation, .footnote { color: var(--soft); font-size: .9rem; margin: .9rem 0 0; }
.footnote { font-size: .82rem; margin-top: .4rem; }
.columns { display: grid; gap: 1.25rem; margin: 1.25rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.columns section { margin: 0; } .columns .whole-row { grid-column: 1 / -1; }

.plain { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
.plain th, .plain td { padding: .45rem .5rem; border-bottom: 1px solid var(--rule);
  text-align: left; vertical-align: baseline; }
.plain tr > :first-child { padding-left: 0; } .plain tr > :last-child { padding-right: 0; }
.plain th { color: var(--soft); font-weight: 500; font-size: .86rem; vertical-align: bottom; }
.plain tbody tr:last-child > * { border-bottom: 0; }
.plain .n { text-align: right; white-space: nowrap; }
.plain th.n, .plain .n.long { white-space: normal; }
.plain .long { overflow-wrap: anywhere; }
.big td:nth-child(2) { font-size: 1.15rem; font-weight: 650; }
.plain .best { font-weight: 700; color: var(--accent); }

.bars { display: grid; grid-template-columns: minmax(0, max-content) minmax(0, 1fr) max-content;
  gap: .5rem .8rem; align-items: center; }
.bars .name { max-width: 20rem; overflow-wrap: anywhere; line-height: 1.3; }
.bars .value { font-weight: 650; font-variant-numeric: tabular-nums; text-align: right; }
.track { position: relative; height: 1.4rem; border-radius: 3px;
  background: repeating-linear-gradient(to right, var(--rule) 0 1px, transparent 1px 25%);
  border-right: 1px solid var(--rule); }
.track i { position: absolute; left: 0; top: .15rem; bottom: .15rem; background: var(--bar);
  border-radius: 0 3px 3px 0; }
.track b { position: absolute; top: .4rem; height: .6rem; border: solid var(--ink);
  border-width: 0 2px; }
.track b::after { content: ""; position: absolute; left: 0; right: 0; top: calc(50% - 1px);
  border-top: 2px solid var(--ink); }
.ticks { position: relative; height: 1.1rem; font-size: .75rem; color: var(--soft); }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; } .ticks span:last-child { transform: translateX(-100%); }

.gallery { display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(7.6rem, 1fr)); }
figure { margin: 0; font-size: .84rem; line-height: 1.35; overflow-wrap: anywhere; min-width: 0; }
figure img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; display: block;
  margin-bottom: .35rem; background: var(--rule); }
figure small { color: var(--soft); display: block; font-size: .78rem; }
.whole { white-space: nowrap; }
.right { color: var(--good); font-weight: 600; } .wrong { color: var(--bad); font-weight: 600; }

.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--accent); }
.hint { display: none; font-size: .82rem; color: var(--soft); margin: 0 0 .5rem; }
.hint.always { display: block; }
.matrix { font-size: .8rem; border-collapse: separate; border-spacing: 1px;
  font-variant-numeric: tabular-nums; }
.matrix th { font-weight: 500; color: var(--soft); padding: .1rem .35rem; text-align: right;
  line-height: 1.15; }
.matrix tbody th { max-width: 11rem; min-width: calc(var(--head) + .8rem);
  overflow-wrap: anywhere; }
.matrix tbody th:last-child { min-width: 0; white-space: nowrap; }
.matrix thead th { vertical-align: bottom; text-align: center; padding: .3rem .1rem; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 11rem;
  display: inline-block; overflow-wrap: anywhere; text-align: left; }
.matrix td { min-width: 1.95rem; height: 1.95rem; text-align: center; border-radius: 3px;
  padding: 0; }
.matrix thead td { min-width: 0; height: 0; }
.matrix td.d { font-weight: 700; outline: 1.5px solid var(--ink); outline-offset: -1.5px; }
.matrix td.z { color: var(--soft); }

svg { display: block; font-family: inherit; max-width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12px; } svg .tick, svg .axis { fill: var(--soft); }
.chart { width: 100%; margin: 0 auto; } .small { max-width: 27rem; } .half { max-width: 32rem; }
svg .mark { stroke: none; } .grid { stroke: var(--rule); stroke-width: 1; }
.diagonal { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 3 4; }
svg .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
svg .band { fill-opacity: .16; stroke: none; }
.dash1 { stroke-dasharray: 7 4; } .dash2 { stroke-dasharray: 2 3; }
.dash3 { stroke-dasharray: 9 3 2 3; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .5rem 0 0;
  padding: 0; font-size: .88rem; }
.legend li { display: flex; align-items: center; gap: .4rem; min-width: 0; }
.legend li span { overflow-wrap: anywhere; min-width: 0; } .legend svg { flex: none; }
details { margin-top: .7rem; font-size: .88rem; } summary { cursor: pointer; color: var(--soft); }
.drawing .tall { max-width: 26rem; margin: 0 auto; } .drawing .wide { width: 100%; }
)css";

// A row of a table as a block: its first cell above, the others in a grid, each under its head.
std::string stacked(const std::string& table) {
  std::string out;
  const auto rule = [&](const std::string& within, const char* style) {
    out += table + " " + within + " { " + style + " }\n";
  };
  rule("thead",
       "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);");
  rule("tbody tr",
       "display: grid; grid-template-columns: repeat(auto-fill, minmax(4.4rem, 1fr)); "
       "gap: .3rem .8rem; padding: .6rem 0; border-bottom: 1px solid var(--rule);");
  rule("tbody tr:last-child", "border-bottom: 0;");
  rule("tbody td", "padding: 0; border: 0; text-align: left; overflow-wrap: anywhere;");
  rule("tbody td.n", "white-space: normal;");
  rule("tbody td:first-child", "grid-column: 1 / -1; font-weight: 600;");
  rule("tbody td.t", "grid-column: 1 / -1;");
  rule("tbody td.two", "grid-column: span 2;");
  rule("tbody td:not(:first-child)::before",
       "content: attr(data-head); display: block; font-size: .74rem; font-weight: 400; "
       "line-height: 1.3; color: var(--soft);");
  rule("tbody td.key::before",
       "content: attr(data-head) ' '; font-weight: 400; color: var(--soft);");
  rule("tbody td.empty", "display: none;");
  return out + table + ", " + table + " tbody { display: block; }\n";
}

std::string at_most(const char* width, const std::string& rules) {
  return std::string("@media (max-width: ") + width + ") {\n" + rules + "}\n";
}

constexpr const char* narrow = R"css(
main { padding: 1.4rem .75rem 3rem; } h1 { font-size: 1.55rem; }
section { padding: 1rem .9rem; border-radius: 10px; }
.half { display: none; }
.bars { grid-template-columns: minmax(0, 1fr) max-content; gap: .1rem .7rem; }
.bars .name { grid-column: 1 / -1; max-width: none; margin-top: .4rem; font-size: .92rem; }
.bars .name.axis, .bars .value.axis { display: none; }
.matrix { font-size: .72rem; } .matrix td { min-width: 1.5rem; height: 1.75rem; }
.matrix th { padding: .1rem .2rem; font-size: .7rem; } .matrix tbody th { max-width: 5.6rem; min-width: min(calc(var(--head) + .5rem), 5.6rem); }
.hint.narrow { display: block; } .big td:nth-child(2) { font-size: 1rem; }
)css";

constexpr const char* smallest = R"css(
main { padding: 1rem .4rem 2rem; } section { padding: .8rem .6rem; }
.matrix td { min-width: 1.25rem; } .matrix { border-spacing: 0; }
.matrix tbody th { max-width: 5rem; min-width: min(calc(var(--head) + .2rem), 5rem); }
.matrix th { padding: .1rem; }
)css";

constexpr const char* paper = R"css(
body { background: none; font-size: 10.5pt; } main { max-width: none; padding: 0; }
section { break-inside: avoid; border-color: #bbb; margin: .8rem 0; padding: .8rem 1rem; }
section.breaks { break-inside: auto; } tr, figure, .bar { break-inside: avoid; }
h2 { break-after: avoid; } .half, .small { max-width: 24rem; } .columns { gap: .8rem; margin: .8rem 0; }
.scroll { overflow: visible; } .hint, details { display: none !important; }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
)css";

}  // namespace

std::string page_style() {
  std::string out = std::string("\n:root { ") + light + " }\n";
  out += std::string("@media (prefers-color-scheme: dark) { :root { ") + dark + " } }\n" + common;
  for (int i = 0; i < 7; ++i) {
    const std::string number = std::to_string(i);
    out += ".s" + number + " { stroke: var(--c" + number + "); fill: var(--c" + number + "); }\n";
  }
  for (int i = 0; i < 9; ++i) {
    const std::string number = std::to_string(i);
    out +=
        ".h" + number + " { background: var(--h" + number + "); color: var(--t" + number + "); }\n";
  }
  out += stacked(".plain.stack3") + at_most("62rem", stacked(".plain.stack2")) +
         at_most("60rem", ".full { display: none; }\n") +
         at_most("54rem", ".drawing .wide { display: none; }\n") +
         at_most("40rem", stacked(".plain.stack1") + narrow) + at_most("22.5rem", smallest);
  out +=
      "@media (min-width: 40.01rem) { .half + .small { display: none; } }\n"
      "@media (min-width: 54.01rem) { .drawing .tall { display: none; } }\n"
      "@media (min-width: 60.01rem) { .full + .small { display: none; } }\n";
  return out + "@media print {\n:root { " + light + " }\n" + paper + "}\n";
}

}  // namespace limbic::report
