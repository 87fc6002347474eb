#!/usr/bin/env python3
"""Walks through pages of `limbic explain --walk` in headless Chromium, by keyboard, wide and narrow, light and dark.

    python3 tests/walk/check_walk.py [--shots FOLDER] [--every N] PAGE.html ...

At each layer the sum that the page adds up, and what the plain twins in WebAssembly compute of the same numbers,
must equal what the layer gave: within 1e-4 and 1e-5 of the larger of 1 and that. Prints the compared numbers.
Wrong is, too, whatever tests/report/check_pages.py looks for (a page wider than its window, pale text, a message on
the console, a request that leaves the file), a file of more than 5,000,000 bytes, a layer whose lines of source are
missing, and a key that does nothing. --every N looks at each N-th layer for what takes long. Needs PyPI's playwright
and /usr/bin/chromium (CHROMIUM names another). Ends with status 1 where something is wrong.
"""
import argparse
import os
import pathlib
import sys

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "report"))
import check_pages

# What the page shows of the chosen cell: [what, computed, stored].
COMPARED = """() => [...document.querySelectorAll('#total, [id^="twin-"]')].map(
    e => [e.id, parseFloat(e.dataset.computed ?? e.dataset.twin), parseFloat(e.dataset.stored)])"""
LIMITS = {"total": 1e-4, "twin-backward": 1e-4}  # the latter of gradients that the page holds rounded
# Layers whose numbers no page adds up.
SILENT = {"picture"}


def differs(what, computed, stored):
    return not abs(computed - stored) <= LIMITS.get(what, 1e-5) * max(1, abs(stored))


def open_page(browser, path, size, scheme, faults):
    context = browser.new_context(color_scheme=scheme, offline=True, **check_pages.SIZES[size])
    page = context.new_page()
    address = path.resolve().as_uri()
    page.on("console", lambda message: faults.append("console: " + message.text))
    page.on("pageerror", lambda error: faults.append("error: %s" % error))
    page.on("request", lambda request: request.url == address or request.url.startswith("data:") or
            faults.append("asks for " + request.url[:80]))
    page.goto(address)
    page.wait_for_selector("html[data-ready=yes]", timeout=60000)
    return page


def compare_layer(page, faults, say):
    """The numbers of the layer that is shown: how many were compared."""
    name = page.inner_text("#name")
    kind = page.evaluate("() => LAYERS[state.layer].type")
    if page.locator("#backward").count():
        page.click("#backward")
        page.evaluate("() => document.activeElement.blur()")
    compared = [c for c in page.evaluate(COMPARED) if c[1] == c[1]]
    if kind not in SILENT and not compared:
        if not page.evaluate("() => FACTS.not_shown.some(n => n.startsWith(LAYERS[state.layer].name))"):
            faults.append("%s: nothing is added up" % name)
    for what, computed, stored in compared:
        if differs(what, computed, stored):
            faults.append("%s: %s computes %r, the layer gave %r" % (name, what, computed, stored))
        say("  %-44s %-16s %15.8g %15.8g" % (name[:44], what, computed, stored))
    if kind not in SILENT and page.locator("#lines pre").count() < 2:
        faults.append("%s: no lines of the twin and of the kernel" % name)
    return len(compared)


def by_keyboard(page, faults):
    """Arrows change the layer, and within a map the cell; a typed number changes what the twin says."""
    at = lambda: page.evaluate("() => state.layer")
    page.evaluate("() => { document.activeElement.blur(); goTo(1); }")
    page.keyboard.press("ArrowRight")
    if at() != 2:
        faults.append("the right arrow leads to layer %d" % at())
    page.keyboard.press("ArrowLeft")
    if at() != 1:
        faults.append("the left arrow leads to layer %d" % at())
    page.evaluate("() => goTo(1)")
    page.focus("#map")
    cell = lambda: page.evaluate("() => JSON.stringify(state.cell)")
    seen = {cell()}
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
        seen.add(cell())
    if len(seen) < 4 or at() != 1:
        faults.append("arrows in the map lead to %d cells and layer %d" % (len(seen), at()))
    page.focus("#gallery")
    seen = {cell()}
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
        seen.add(cell())
    if len(seen) < 2:
        faults.append("arrows in the gallery change no channel")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    if outline == "none":
        faults.append("the focus cannot be seen")
    twin = page.locator("#twin-conv2d")
    before = twin.get_attribute("data-twin")
    page.locator("#lab .grid input").first.fill("7.5")
    if twin.get_attribute("data-twin") == before:
        faults.append("a changed number leaves the twin's sum as it was")
    page.evaluate("() => goTo(1)")


def walk(browser, path, faults, every):
    """Every layer by the right arrow, the numbers of its first cell and of two others."""
    print("%s, %d bytes: layer, what computes, computed, the layer's own" % (path.name, path.stat().st_size))
    if path.stat().st_size > 5_000_000:
        faults.append("%d bytes" % path.stat().st_size)
    page = open_page(browser, path, "wide", "light", faults)
    by_keyboard(page, faults)
    page.evaluate("() => { document.activeElement.blur(); goTo(0); }")
    layers = page.evaluate("() => LAYERS.length")
    n = 0
    for layer in range(layers):
        n += compare_layer(page, faults, print)
        for dy, dx in ((1, 2), (-3, 1)):
            page.evaluate("([dy, dx]) => { for (let i = 0; i < Math.abs(dy); ++i) state.cell = "
                          "LAYERS[state.layer].step(state.cell, Math.sign(dy), dx); render('cell'); }", [dy, dx])
            n += compare_layer(page, faults, lambda line: None)
        if layer % every == 0 and page.evaluate("() => state.layer > 0"):
            page.check("#gradient")
            page.check("input[value=forward]")
            page.evaluate("() => document.activeElement.blur()")
        page.keyboard.press("ArrowRight")
    if page.evaluate("() => state.layer") != layers - 1:
        faults.append("the arrows end at layer %d of %d" % (page.evaluate("() => state.layer"), layers - 1))
    page.context.close()
    print("  %d layers, %d numbers compared" % (layers, n))


def look(browser, path, faults, shots):
    """How five layers look in each window."""
    for size in ("wide", "narrow", "small", "tablet"):
        for scheme in ("light", "dark") if size in ("wide", "narrow") else ("light",):
            found = []
            page = open_page(browser, path, size, scheme, found)
            layers = page.evaluate("() => LAYERS.length")
            for layer in sorted({1, 2, 3, layers // 2, layers - 2, layers - 1}):
                page.evaluate("layer => goTo(layer)", layer)
                if shots:
                    page.screenshot(path=os.path.join(shots, "%s-%02d-%s-%s.png" % (path.stem, layer, size, scheme)),
                                    full_page=True)
                found += ["layer %d: %s" % (layer, f) for f in page.evaluate(check_pages.FAULTS)]
            page.context.close()
            faults += ["%s, %s: %s" % (size, scheme, f) for f in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shots", help="folder for a picture of some layers in each window")
    parser.add_argument("--every", type=int, default=1, help="of how many layers one's gradients are drawn")
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.shots:
        os.makedirs(arguments.shots, exist_ok=True)
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        for path in arguments.pages:
            faults = []
            walk(browser, path, faults, arguments.every)
            look(browser, path, faults, arguments.shots)
            wrong += len(faults)
            for fault in faults:
                print("%s: %s" % (path.name, fault))
        browser.close()
    print("%d walks, %d faults" % (len(arguments.pages), wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
