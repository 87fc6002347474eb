# For scripts that open pages, which read it by `.`: sets `python` to one that has playwright, and CHROMIUM; ends
# them with a line and status 0 where there is no Chromium, or no playwright and no way to fetch it.
: "${CHROMIUM:=/usr/bin/chromium}"
export CHROMIUM
[ -x "$CHROMIUM" ] || { echo "skipped: no $CHROMIUM"; exit 0; }
python=build/pages-venv/bin/python
if ! "$python" -c "import playwright" 2>/dev/null; then
  { python3 -m venv build/pages-venv && "$python" -m pip -q install playwright; } >/dev/null 2>&1 ||
    { echo "skipped: playwright cannot be installed"; exit 0; }
fi
