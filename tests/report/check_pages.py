#!/usr/bin/env python3
"""Opens pages in headless Chromium, wide and narrow, light and dark, and says what is wrong with them; light
also as a small telephone and a tablet show them.

    python3 tests/report/check_pages.py [--self-test] [--shots FOLDER] PAGE.html ...

Wrong is: a page wider than its window, text that is cut off or leaves its box, a word broken in its middle,
text smaller than 11 px (in drawings 10), texts over each other, contrast below 4.5 against what is behind, a
box that scrolls and takes no focus, an id that is there twice, a message on the console, a request that leaves
the file. --self-test plants each of these and looks whether it is found. Needs PyPI's playwright and
/usr/bin/chromium (CHROMIUM names another).
Ends with status 1 where something is wrong.
"""
import argparse
import os
import pathlib
import sys
import tempfile

from playwright.sync_api import sync_playwright

SIZES = {"wide": dict(viewport=dict(width=1280, height=900)),
         "narrow": dict(viewport=dict(width=390, height=844), device_scale_factor=2, is_mobile=True,
                        has_touch=True),
         "small": dict(viewport=dict(width=320, height=640)),
         "tablet": dict(viewport=dict(width=768, height=1024))}

# Returns what is wrong, a line each.
FAULTS = r"""
() => {
  const faults = [], seen = new Set();
  const say = (what, node) => {
    const element = node.nodeType === 3 ? node.parentElement : node;
    const text = (element.textContent || '').trim().slice(0, 40);
    const line = `${what}: <${element.tagName.toLowerCase()} class="${
        element.getAttribute('class') || ''}"> ${JSON.stringify(text)}`;
    if (!seen.has(line)) { seen.add(line); faults.push(line); }
  };
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    faults.push(`the page is ${root.scrollWidth} px wide in a window of ${root.clientWidth}`);
  const ids = new Set();
  for (const element of document.querySelectorAll('[id]')) {
    if (ids.has(element.id)) say('an id twice, ' + element.id, element);
    ids.add(element.id);
  }
  // Colours as [r, g, b, a].
  const parse = text => {
    const n = (text.match(/[\d.]+/g) || []).map(Number);
    return n.length < 3 ? [0, 0, 0, 0] : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = c => {
    const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => p - q);
    return (y + 0.05) / (x + 0.05);
  };
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  const background = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), canvas);
  };
  // What is drawn behind a text of a drawing: the last shape before it that holds its middle.
  const behind = text => {
    const box = text.getBoundingClientRect();
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    let colour = background(text.closest('svg').parentElement);
    for (const shape of text.closest('svg').querySelectorAll('rect, polygon')) {
      const b = shape.getBoundingClientRect();
      if (b.x > x || b.y > y || b.right < x || b.bottom < y) continue;
      if (!(shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
      const style = getComputedStyle(shape), fill = parse(style.fill);
      colour = over([fill[0], fill[1], fill[2], fill[3] * parseFloat(style.fillOpacity)], colour);
    }
    return colour;
  };
  const isHidden = element => {
    for (let e = element; e; e = e.parentElement)
      if (getComputedStyle(e).clipPath !== 'none') return true;  // for screen readers alone
    return false;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest('title, style, script')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width === 0 || isHidden(element)) continue;
    ++checked;
    const style = getComputedStyle(element), svg = element.closest('svg');
    if (svg) {
      const scale = svg.getBoundingClientRect().width / (svg.viewBox.baseVal.width || svg.clientWidth);
      const size = parseFloat(style.fontSize) * scale, frame = svg.getBoundingClientRect();
      if (size < 10) say(`text of ${size.toFixed(1)} px`, node);
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
          box.bottom > frame.bottom + 1)
        say('text outside of its drawing', node);
      const ratio = contrast(parse(style.fill), behind(element));
      if (ratio < 4.5) say(`contrast ${ratio.toFixed(2)}`, node);
    } else {
      const size = parseFloat(style.fontSize);
      if (size < 11) say(`text of ${size.toFixed(1)} px`, node);
      const ratio = contrast(parse(style.color), background(element));
      if (ratio < 4.5) say(`contrast ${ratio.toFixed(2)}`, node);
    }
    for (const word of node.textContent.matchAll(/(?<!\S)[A-Za-z0-9]{2,16}(?!\S)/g)) {
      const part = document.createRange();
      part.setStart(node, word.index);
      part.setEnd(node, word.index + word[0].length);
      if (part.getClientRects().length > 1) say('a word in two lines, ' + word[0], node);
    }
    let scrolls = false;
    for (let e = element; e && e !== document.body; e = e.parentElement) {
      const s = getComputedStyle(e), b = e.getBoundingClientRect();
      if (['auto', 'scroll'].includes(s.overflowX)) {
        scrolls = true;
        if (e.scrollWidth > e.clientWidth && e.tabIndex < 0) say('a box that scrolls and has no focus', e);
      }
      if (s.overflowX === 'hidden' && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1))
        say('text that is cut off', e);
      if (['TD', 'TH', 'SECTION', 'FIGURE'].includes(e.tagName) && !scrolls &&
          (box.right > b.right + 1.5 || box.left < b.left - 1.5))
        say('text that leaves its box', node);
    }
    if (!scrolls && (box.right > root.clientWidth + 1 || box.left < -1)) say('text outside of the window', node);
  }
  if (checked === 0) faults.push('nothing to read');
  // Marks that touch: the numbers along an axis.
  for (const svg of document.querySelectorAll('svg')) {
    const boxes = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()])
        .filter(([, b]) => b.width > 0);
    for (let i = 0; i < boxes.length; ++i)
      for (let j = i + 1; j < boxes.length; ++j) {
        const [a, b] = [boxes[i][1], boxes[j][1]];
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
          say('texts over each other', boxes[j][0]);
      }
  }
  return faults;
}
"""


def check(browser, path, size, scheme, shots):
    """What is wrong with one page in one window."""
    faults = []
    context = browser.new_context(color_scheme=scheme, offline=True, **SIZES[size])
    page = context.new_page()
    address = path.resolve().as_uri()
    page.on("console", lambda message: faults.append("console: " + message.text))
    page.on("pageerror", lambda error: faults.append("error: %s" % error))
    page.on("request", lambda request: request.url == address or request.url.startswith("data:") or
            faults.append("asks for " + request.url[:80]))
    page.goto(address)
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = false)")
    if shots:
        name = "%s-%s-%s.png" % (path.stem, size, scheme)
        page.screenshot(path=os.path.join(shots, name), full_page=True)
    faults += page.evaluate(FAULTS)
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    faults += [f for f in page.evaluate(FAULTS) if f not in faults]
    context.close()
    return faults


# What must be found: a fault's beginning, and a page that has it.
PLANTED = {
    "the page is": "<p style='width:1400px'>wide</p>",
    "an id twice": "<p id=a>a</p><p id=a>b</p>",
    "contrast 1.": "<p style='color:#eee;background:#fff'>pale</p>",
    "contrast 3.": "<svg width=300 height=60><rect width=300 height=60 fill='#888'/>"
                   "<text x=5 y=20 fill='#333'>pale</text></svg>",
    "text of 9.0 px": "<svg width=150 height=30 viewBox='0 0 200 40'><text y=20 font-size=12>small</text></svg>",
    "text of 10.0 px": "<p style='font-size:10px'>small</p>",
    "text outside of its drawing": "<svg width=60 height=30><text x=30 y=20>longer than that</text></svg>",
    "texts over each other": "<svg width=300 height=60><text x=5 y=20>one</text><text x=9 y=20>two</text></svg>",
    "text that is cut off": "<p style='width:60px;overflow:hidden;white-space:nowrap'>longer than that</p>",
    "text that leaves its box": "<table><tr><td style='display:block;width:20px'>Donaudampfschiff</table>",
    "a word in two lines": "<p style='width:40px;overflow-wrap:anywhere'>contentment</p>",
    "a box that scrolls and has no focus": "<div style='overflow:auto;width:90px'><p style='width:200px'>a</p></div>",
    "console: ": "<p>a</p><script>console.log('a')</script>",
    "error: ": "<p>a</p><script>nothing.at.all</script>",
    "asks for http://localhost": "<p>a</p><img src='http://localhost:1/x.png'>",
    "nothing to read": "<p></p>",
}


def self_test(browser, folder):
    """How many planted faults were not found; a page without any must have none."""
    missed = 0
    for i, (fault, body) in enumerate({"": "<p>a</p>", **PLANTED}.items()):
        path = pathlib.Path(folder) / ("planted%d.html" % i)
        path.write_text("<!DOCTYPE html><meta charset=utf-8><meta name=viewport "
                        "content='width=device-width'><style>body{background:#fff;color:#222}</style>" + body)
        faults = check(browser, path, "narrow", "light", None)
        if not any(f.startswith(fault) for f in faults) if fault else faults:
            missed += 1
            print("planted %r, found %s" % (fault, faults))
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shots", help="folder for a picture of each page and window")
    parser.add_argument("--self-test", action="store_true", help="plant faults and look for them")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.shots:
        os.makedirs(arguments.shots, exist_ok=True)
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        if arguments.self_test:
            with tempfile.TemporaryDirectory() as folder:
                wrong += self_test(browser, folder)
        for path in arguments.pages:
            for size in SIZES:
                for scheme in ("light", "dark") if size in ("wide", "narrow") else ("light",):
                    faults = check(browser, path, size, scheme, arguments.shots)
                    wrong += len(faults)
                    for fault in faults:
                        print("%s, %s, %s: %s" % (path.name, size, scheme, fault))
        browser.close()
    print("%d pages, %d faults" % (len(arguments.pages), wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
