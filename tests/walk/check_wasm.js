// Has the plain twins in WebAssembly compute what the fast library has computed, and compares.
//
//   node tests/walk/check_wasm.js CASES.json KEPT.wasm [FRESH.wasm]
//
// CASES.json is what build/tests/walk_cases writes. Every number of KEPT must be within 1e-5 of the
// library's (of the larger of 1 and that); FRESH, a build of today, must give KEPT's to the last bit.
// Prints a line a case; ends with status 1 where something differs.
"use strict";
const fs = require("fs");
const path = require("path");
const { openTwins } = require(path.join(__dirname, "../../walk/page/twins.js"));

// The part of an answer that the library computes, too.
const PARTS = { winograd: "output", sgd: "weight", conv2dBackward: "src" };

function compute(twins, one) {
  const answer = twins[one.op](one);
  return PARTS[one.op] ? answer[PARTS[one.op]] : answer;
}

async function main([casesPath, keptPath, freshPath]) {
  const cases = JSON.parse(fs.readFileSync(casesPath));
  const kept = await openTwins(fs.readFileSync(keptPath));
  const fresh = freshPath ? await openTwins(fs.readFileSync(freshPath)) : null;
  let wrong = 0, compared = 0;
  for (const one of cases) {
    const values = compute(kept, one);
    let most = values.length === one.expected.length ? 0 : Infinity;
    values.forEach((v, i) => {
      const apart = Math.abs(v - one.expected[i]) / Math.max(1, Math.abs(one.expected[i]));
      if (!(apart <= most)) most = apart;
    });
    compared += values.length;
    const again = fresh ? compute(fresh, one).every((v, i) => v === values[i]) : true;
    const fine = most <= 1e-5 && again;
    wrong += !fine;
    console.log(`  ${one.op.padEnd(16)} ${String(values.length).padStart(6)} numbers, at most ${most.toExponential(2)} apart` +
                `${again ? "" : "; a fresh build gives others"}${fine ? "" : "  WRONG"}`);
  }
  let refused = false;
  try {
    kept.conv2d({ src: { shape: [1, 1, 2, 2], values: [1, 2, 3, 4] }, weight: { shape: [1, 1, 3, 3], values: Array(9).fill(0) } });
  } catch (e) {
    refused = true;
  }
  if (!refused) { console.log("  a window that does not fit is computed all the same  WRONG"); ++wrong; }
  console.log(`${compared} numbers of ${cases.length} cases, ${wrong} wrong` + (fresh ? "; a fresh build gives the same" : ""));
  return wrong ? 1 : 0;
}

main(process.argv.slice(2)).then(status => process.exit(status), e => { console.error(e); process.exit(1); });
