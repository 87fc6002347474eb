// A picture's walk: LAYERS hold what walk/page.cpp has packed; the page shows one layer, one cell of
// it, and all that this cell is computed from.

const $ = id => document.getElementById(id);
const FACTS = JSON.parse($("walk").textContent);
const MOST_ROWS = 8;  // of a table of sums

// ---- Numbers ----

let numbers;  // all arrays, as bytes
const unpacked = new Map();

// An array of walk/packer.h.
function unpack(where) {
  if (!where) return null;
  const key = where.join();
  if (unpacked.has(key)) return unpacked.get(key);
  const [at, n, width, scale] = where;
  let out = width === 4 ? new Float32Array(n) : width === 2 ? new Int16Array(n) : new Uint8Array(n);
  const bytes = new Uint8Array(out.buffer);
  for (let byte = 0; byte < width; ++byte)
    for (let i = 0; i < n; ++i) bytes[i * width + byte] = numbers[at + byte * n + i];
  if (width === 2) out = Float32Array.from(out, v => v * scale);
  unpacked.set(key, out);
  return out;
}

const decode64 = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Five digits that count.
function show(v) {
  if (v === 0) return "0";
  const size = Math.abs(v);
  const text = size >= 1e5 || size < 1e-4 ? v.toExponential(3) : v.toPrecision(5).replace(/(\.\d*?)0+$/, "$1");
  return text.replace(/\.$/, "").replace(/-/g, "\u2212");
}
// Within a sum.
const inner = v => v < 0 ? `(${show(v)})` : show(v);
// Numbers under each other: as many decimals as their largest wants.
function showAll(values) {
  const most = largest(values), decimals = Math.max(0, 3 - Math.floor(Math.log10(most)));
  if (most < 1e-3 || most >= 1e5) return values.map(show);
  return values.map(v => v === 0 ? "0" : v.toFixed(decimals).replace("-", "\u2212"));
}
const times = (...sizes) => sizes.join(" \u00d7 ");
const bytesText = n => n < 1000 ? n + " B" : n < 1e6 ? (n / 1e3).toPrecision(3) + " kB" : (n / 1e6).toPrecision(3) + " MB";
const timeText = s => s === 0 ? "0 \u00b5s" : s < 1e-7 ? (1e9 * s).toPrecision(2) + " ns" : s < 1e-3 ? (1e6 * s).toPrecision(3) + " \u00b5s" : (1e3 * s).toPrecision(3) + " ms";
const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const countText = n => n.toLocaleString("en");
const sum = values => values.reduce((a, b) => a + b, 0);

// ---- Layers ----

class Layer {
  constructor(data, index) {
    Object.assign(this, data, { index });
    [this.C, this.H, this.W] = [data.shape[0], data.shape[1] || 1, data.shape[2] || 1];
    this.isMap = data.shape.length === 3;
    this.options = data.options || {};
    this.rows = FACTS.whole ? null : this.channels;  // whose parameters are held
  }
  get title() { return this.labels.length ? `${this.name} (${this.labels.join(", ")})` : this.name; }
  source(i = 0) { return LAYERS[this.src[i]]; }
  // All values, where the page holds them. A ReLU's and a sum's are exactly these.
  get all() {
    if (!FACTS.whole) return null;
    if (this.value) return unpack(this.value);
    if (!this.computed) {
      const a = this.source(0).all, b = this.type === "add" ? this.source(1).all : null;
      this.computed = a.map((v, i) => b ? Math.fround(v + b[i]) : Math.max(0, v));
    }
    return this.computed;
  }
  at(cell) { return (cell.c * this.H + cell.y) * this.W + cell.x; }
  held(cell) {
    return this.channels.indexOf(cell.c) * this.places.length +
        this.places.findIndex(([y, x]) => y === cell.y && x === cell.x);
  }
  read(cell) { return FACTS.whole ? this.all[this.at(cell)] : unpack(this.values)[this.held(cell)]; }
  readGradient(cell) {
    const values = unpack(FACTS.whole ? this.gradient : this.gradients);
    return values && values[FACTS.whole ? this.at(cell) : this.held(cell)];
  }
  // The nearest cell whose numbers the page holds.
  nearest({ c, y, x }) {
    const clamp = (v, n) => Math.min(Math.max(v, 0), n - 1);
    if (FACTS.whole) return { c: clamp(c, this.C), y: clamp(y, this.H), x: clamp(x, this.W) };
    const closest = (list, far) => list.reduce((a, b) => far(b) < far(a) ? b : a);
    const place = closest(this.places, ([v, u]) => (v - y) ** 2 + (u - x) ** 2);
    return { c: closest(this.channels, k => Math.abs(k - c)), y: place[0], x: place[1] };
  }
  // The next cell in a direction: among those that are held.
  step(cell, dy, dx) {
    if (FACTS.whole) return this.nearest({ c: cell.c, y: cell.y + dy, x: cell.x + dx });
    const sorted = i => [...new Set(this.places.map(p => p[i]))].sort((a, b) => a - b);
    const move = (list, v, by) => list[Math.min(Math.max(list.indexOf(v) + by, 0), list.length - 1)];
    return { c: cell.c, y: move(sorted(0), cell.y, dy), x: move(sorted(1), cell.x, dx) };
  }
  // Channels that can be drawn, and one of them: {h, w, values}.
  drawn(gradient) {
    if (!FACTS.whole) return ((gradient ? this.gradient_pictures : this.pictures) || { channels: [] }).channels;
    return gradient && !this.gradient ? [] : Array.from({ length: this.C }, (_, c) => c);
  }
  tile(c, gradient) {
    const k = this.drawn(gradient).indexOf(c);
    if (k < 0) return null;
    if (FACTS.whole) {
      const values = gradient ? unpack(this.gradient) : this.all, n = this.H * this.W;
      return { h: this.H, w: this.W, values: values.subarray(c * n, (c + 1) * n) };
    }
    const p = gradient ? this.gradient_pictures : this.pictures, n = p.height * p.width;
    const low = unpack(p.low)[k], range = unpack(p.high)[k] - low;
    const values = Float32Array.from(unpack(p.bytes).subarray(k * n, (k + 1) * n), v => low + range * v / 255);
    return { h: p.height, w: p.width, values };
  }
  // The numbers of a parameter that belong to output channel c, or null where the page lacks them.
  parameter(name, c) {
    const values = name === "gradient" ? unpack(this.weight_gradient) : unpack((this.parameters || {})[name]);
    if (!values) return null;
    const row = this.rows ? this.rows.indexOf(c) : c, held = this.rows ? this.rows.length : this.C;
    const n = name === "gradient" ? this.parameter("weight", c).length : values.length / held;
    return row < 0 || (row + 1) * n > values.length ? null : values.subarray(row * n, (row + 1) * n);
  }
  get kernel() { return this.options.kernel || [1, 1]; }
  get weighs() { return this.type === "conv2d" || this.type === "linear"; }
}
let LAYERS;

// What a cell reads, in the order of its weights, as walk/taps.cpp: {src, c, y, x}, src -1 padding.
function places(layer, { c, y, x }) {
  const o = layer.options, from = layer.source();
  const inside = (v, u) => v >= 0 && u >= 0 && v < from.H && u < from.W;
  const out = [];
  const window = (channel, keepPadding) => {
    const [dh, dw] = o.dilation || [1, 1];
    for (let u = 0; u < o.kernel[0]; ++u)
      for (let v = 0; v < o.kernel[1]; ++v) {
        const ty = y * o.stride[0] - o.padding[0] + u * dh, tx = x * o.stride[1] - o.padding[1] + v * dw;
        if (inside(ty, tx) || keepPadding) out.push({ src: inside(ty, tx) ? 0 : -1, c: channel, y: ty, x: tx });
      }
  };
  if (layer.type === "conv2d") {
    const inputs = from.C / o.groups, first = Math.floor(c / (layer.C / o.groups)) * inputs;
    for (let i = first; i < first + inputs; ++i) window(i, true);
  } else if (o.kernel) {
    window(c, false);
  } else if (o.output) {
    const span = (i, n, of) => [Math.floor(i * n / of), Math.ceil((i + 1) * n / of)];
    const [y0, y1] = span(y, from.H, o.output[0]), [x0, x1] = span(x, from.W, o.output[1]);
    for (let v = y0; v < y1; ++v)
      for (let u = x0; u < x1; ++u) out.push({ src: 0, c, y: v, x: u });
  } else if (layer.type === "linear" || layer.type === "softmax") {
    for (let i = 0; i < from.C; ++i) out.push({ src: 0, c: i, y: 0, x: 0 });
  } else if (layer.type === "concat") {
    for (let i = 0, left = c; i < layer.src.length; left -= layer.source(i++).C)
      if (left < layer.source(i).C) return [{ src: i, c: left, y, x }];
  } else if (layer.type === "flatten" && from.isMap) {
    const n = from.H * from.W;
    out.push({ src: 0, c: Math.floor(c / n), y: Math.floor(c % n / from.W), x: c % from.W });
  } else if (layer.type === "slice_pad") {
    const k = c - o.before;
    out.push({ src: k >= 0 && k < from.C ? 0 : -1, c: k, y: y * o.stride[0], x: x * o.stride[1] });
  } else if (layer.type === "add") {
    out.push({ src: 0, c, y, x }, { src: 1, c, y, x });
  } else if (["batch_norm", "dropout", "flatten"].includes(layer.type) || o.activation) {
    out.push({ src: 0, c, y, x });
  }
  return out;
}

// The same with their values.
function taps(layer, cell) {
  const list = layer.index ? places(layer, cell) : [];
  if (FACTS.whole)
    return list.map(t => ({ ...t, value: t.src < 0 ? 0 : layer.source(t.src).read(t) }));
  if (!list.length) return list;
  const held = layer.held(cell), row = layer.shared ? held % layer.places.length : held;
  const window = unpack(layer.windows);
  return list.map((t, i) => ({ ...t, value: window[row * layer.window_size + i] }));
}

// ---- What the page shows ----

const state = { layer: 1, cell: { c: 0, y: 0, x: 0 }, input: 0, gradient: false };
let twins;

function el(tag, properties = {}, ...children) {
  const out = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name === "data") Object.assign(out.dataset, value);
    else if (name.includes("-") || name === "role" || name === "scope") out.setAttribute(name, value);
    else out[name] = value;
  out.append(...children.filter(c => c !== null && c !== undefined));
  return out;
}
const box = (...children) => el("div", { className: "box", tabIndex: 0, role: "group", "aria-label": "table" }, ...children);

// Numbers as a small table; `mark(i)` gives a cell's class, `edit(i, value)` makes cells inputs.
function grid(caption, values, columns, { mark = () => "", edit = null } = {}) {
  const table = el("table", { className: "grid" }, el("caption", {}, caption)), texts = showAll(values);
  for (let row = 0; row < values.length; row += columns) {
    const tr = el("tr");
    for (let i = row; i < Math.min(row + columns, values.length); ++i)
      tr.append(el("td", { className: mark(i) }, edit ? input(`${caption} ${i + 1}`, values[i], v => edit(i, v)) : texts[i]));
    table.append(tr);
  }
  return box(table);
}

// A number that can be changed, shown with five digits until then; what is no number changes nothing.
function input(label, value, change) {
  const shown = +value.toPrecision(5), field = el("input", { type: "number", step: "any", value: shown, "aria-label": label });
  field.addEventListener("input", () => {
    const v = field.valueAsNumber;
    field.classList.toggle("changed", v !== shown);
    if (Number.isFinite(v)) change(v === shown ? value : v);
  });
  return field;
}

function labelled(name, value, change) {
  return el("label", {}, name + " ", input(name, value, change));
}

const colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["zero", "positive", "negative", "mark"]) {
    const hex = style.getPropertyValue("--" + name).trim();
    const full = hex.length === 4 ? [...hex.slice(1)].map(h => h + h).join("") : hex.slice(1);
    colours[name] = [0, 2, 4].map(i => parseInt(full.slice(i, i + 2), 16));
  }
}

const largest = values => values.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);

// A tile as a canvas of its own size: 0 in the paper's colour, towards blue above and orange below.
function tileCanvas({ h, w, values }, most) {
  const canvas = el("canvas", { width: w, height: h }), context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  values.forEach((v, i) => {
    const share = Math.min(1, Math.abs(v) / most), to = v < 0 ? colours.negative : colours.positive;
    for (let k = 0; k < 3; ++k)
      image.data[4 * i + k] = colours.zero[k] + share * (to[k] - colours.zero[k]);
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function outline(context, x, y, w, h, width = 2) {
  context.strokeStyle = `rgb(${colours.mark})`;
  context.lineWidth = width;
  context.strokeRect(x, y, w, h);
}

let galleryColumns = 1, galleryTile = [1, 1];

function drawGallery(layer) {
  const canvas = $("gallery"), channels = layer.drawn(state.gradient);
  const first = channels.length ? layer.tile(channels[0], state.gradient) : { h: 1, w: 1 };
  const longer = Math.max(first.h, first.w);
  const zoom = longer === 1 ? (layer.C > 256 ? 12 : 24) : Math.max(1, Math.floor(64 / longer));
  galleryTile = [first.h * zoom + 4, first.w * zoom + 4];
  galleryColumns = Math.max(1, Math.min(channels.length, Math.floor(canvas.parentElement.clientWidth * 0.92 / galleryTile[1])));
  canvas.width = galleryColumns * galleryTile[1];
  canvas.height = Math.max(1, Math.ceil(channels.length / galleryColumns)) * galleryTile[0];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const tiles = channels.map(c => layer.tile(c, state.gradient));
  const most = Math.max(1e-30, ...tiles.map(t => largest(t.values)));
  tiles.forEach((tile, i) => {
    const x = i % galleryColumns * galleryTile[1] + 2, y = Math.floor(i / galleryColumns) * galleryTile[0] + 2;
    context.drawImage(tileCanvas(tile, most), x, y, tile.w * zoom, tile.h * zoom);
    if (channels[i] === state.cell.c) outline(context, x - 1, y - 1, tile.w * zoom + 2, tile.h * zoom + 2);
    else if (!FACTS.whole && layer.channels.includes(channels[i])) {
      context.fillStyle = `rgb(${colours.mark})`;
      context.fillRect(x, y, 4, 4);
    }
  });
  canvas.setAttribute("aria-label", `${channels.length} channels of ${layer.name}; arrows choose one; now ${state.cell.c}`);
  const lacking = state.gradient && !channels.length;
  $("gallery-words").textContent = lacking ? "No gradient: this comes behind the logit that the gradients are of." :
      `${channels.length} of ${layer.C} channels, chosen is ${state.cell.c}.` +
      (FACTS.whole ? "" : " A dot marks those whose numbers the page holds.");
  $("least").textContent = show(-most);
  $("most").textContent = show(most);
}

// A channel of a layer, enlarged, with a frame around cells; frame: {y0, x0, y1, x1} in cells.
function drawMap(canvas, layer, tile, frame, dots) {
  const zoom = Math.max(1, Math.floor(224 / Math.max(tile.h, tile.w)));
  canvas.width = tile.w * zoom;
  canvas.height = tile.h * zoom;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(tileCanvas(tile, largest(tile.values)), 0, 0, canvas.width, canvas.height);
  const sy = canvas.height / layer.H, sx = canvas.width / layer.W;
  context.fillStyle = `rgb(${colours.mark})`;
  for (const [y, x] of dots) context.fillRect((x + 0.5) * sx - 1.5, (y + 0.5) * sy - 1.5, 3, 3);
  if (frame)
    outline(context, frame.x0 * sx, frame.y0 * sy, Math.max(3, (frame.x1 - frame.x0) * sx),
            Math.max(3, (frame.y1 - frame.y0) * sy), 3);
}

function drawMaps(layer, list) {
  const tile = layer.tile(state.cell.c, state.gradient);
  $("map-figure").hidden = !tile || !layer.isMap;
  const { c, y, x } = state.cell;
  if (tile && layer.isMap) {
    drawMap($("map"), layer, tile, { y0: y, x0: x, y1: y + 1, x1: x + 1 }, FACTS.whole ? [] : layer.places);
    $("map-words").textContent = `${layer.name}, channel ${c}: ${times(layer.H, layer.W)}; the frame is row ${y}, column ${x}.`;
    $("map").setAttribute("aria-label", `channel ${c} of ${layer.name}; arrows move the cell`);
  }
  const read = list.filter(t => t.src >= 0), channel = inputChannel(layer, list);
  const own = read.filter(t => t.c === channel), from = own.length ? layer.source(own[0].src) : null;
  const below = from && from.isMap ? from.tile(channel, state.gradient) : null;
  $("source-figure").hidden = !below;
  if (!below) return;
  const ys = own.map(t => t.y), xs = own.map(t => t.x);
  drawMap($("source"), from, below, { y0: Math.min(...ys), x0: Math.min(...xs), y1: Math.max(...ys) + 1, x1: Math.max(...xs) + 1 }, []);
  $("source-words").textContent = `What it reads: ${from.name}, channel ${channel}: ${times(from.H, from.W)}.`;
}

// ---- One number ----

// The input channel that is looked at: the chosen one where the cell reads it.
function inputChannel(layer, list) {
  if (list.some(t => t.c === state.input)) return state.input;
  return list.length ? list[0].c : 0;
}

// Of a convolution or linear layer: the sum of products of each input channel, largest first.
function contributions(list, weights) {
  const of = new Map();
  list.forEach((t, i) => {
    if (!of.has(t.c)) of.set(t.c, { channel: t.c, value: 0, taps: [] });
    const own = of.get(t.c);
    own.value += t.value * weights[i];
    own.taps.push(i);
  });
  return [...of.values()].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

// words: what was computed, before its result.
function total(words, computed, stored) {
  return el("p", { className: "total", id: "total", data: { computed, stored } }, `${words} = `, el("b", {}, show(computed)),
            ". The layer gave ", el("b", {}, show(stored)), `; the difference is ${show(Math.abs(computed - stored))}.`);
}

function weighedSum(layer, cell, list) {
  const weights = layer.parameter("weight", cell.c), bias = layer.parameter("bias", cell.c);
  const all = contributions(list, weights), [kh, kw] = layer.kernel, single = kh * kw === 1;
  const row = (...cells) => el("tr", {}, ...cells.map(c => el("td", {}, c)));
  const head = single ? ["input", "value", "weight", "product"] : ["input channel", `sum of ${kh * kw} products`];
  const table = el("table", {}, el("tr", {}, ...head.map(h => el("th", { scope: "col" }, h))));
  for (const one of all.slice(0, MOST_ROWS)) {
    const pick = el("button", { "aria-label": `look at input ${one.channel}` }, String(one.channel));
    pick.addEventListener("click", () => { state.input = one.channel; render("input"); });
    const i = one.taps[0];
    const tr = single ? row(pick, show(list[i].value), show(weights[i]), show(one.value)) : row(pick, show(one.value));
    if (one.channel === state.input) tr.className = "chosen";
    table.append(tr);
  }
  const rest = all.slice(MOST_ROWS), padded = single ? ["", ""] : [];
  if (rest.length) table.append(row(`${rest.length} others`, ...padded, show(sum(rest.map(r => r.value)))));
  if (bias) table.append(row("bias", ...padded, show(bias[0])));
  const out = [box(table)];
  if (!single) out.push(...windowGrids(layer, list, weights));
  const products = sum(all.map(a => a.value)), computed = products + (bias ? bias[0] : 0);
  out.push(total(bias ? `${list.length} products, together ${show(products)}, + the bias ${inner(bias[0])}` :
                     `The sum of ${list.length} products`, computed, layer.read(cell)));
  return out;
}

// The window of one input channel times its weights.
function windowGrids(layer, list, weights) {
  const channel = inputChannel(layer, list), kw = layer.kernel[1];
  const own = list.map((t, i) => ({ ...t, i })).filter(t => t.c === channel);
  const padding = i => own[i].src < 0 ? "padding" : "";
  const products = own.map(t => t.value * weights[t.i]);
  return [el("p", { className: "soft" }, `Input channel ${channel}: window times weights, place by place.`),
          el("div", { className: "row" }, grid("window", own.map(t => t.value), kw, { mark: padding }), el("b", {}, "\u00d7"),
             grid("weights", own.map(t => weights[t.i]), kw), el("b", {}, "="),
             grid(`products: together ${show(sum(products))}`, products, kw))];
}

function pooled(layer, cell, list) {
  const values = list.map(t => t.value), stored = layer.read(cell), max = layer.type === "max_pool2d";
  const columns = new Set(list.map(t => t.x)).size, best = Math.max(...values);
  const zero = max && layer.options.zero && values.length < layer.kernel[0] * layer.kernel[1];
  let divisor = values.length;
  if (layer.type === "avg_pool2d" && layer.options.counts) divisor = countedPlaces(layer, cell);
  const computed = max ? Math.max(best, zero ? 0 : -Infinity) : sum(values) / divisor;
  const words = max ? `The largest of ${values.length} numbers` :
      `${values.length} numbers, together ${show(sum(values))}, / ${divisor}`;
  const first = values.indexOf(best);
  return [values.length > 196 ? el("p", {}, `${values.length} numbers, from ${show(Math.min(...values))} to ${show(best)}.`) :
              grid("window", values, columns, { mark: i => max && i === first ? "best" : "" }),
          total(words, computed, stored)];
}

// Places of an average's window that count: pixels and padding, not what hangs over.
function countedPlaces(layer, { y, x }) {
  const o = layer.options, from = layer.source();
  const along = (at, k, s, begin, end, n) => Math.min(at * s - begin + k, n + end) - (at * s - begin);
  return along(y, o.kernel[0], o.stride[0], o.padding[0], o.padding[2], from.H) *
      along(x, o.kernel[1], o.stride[1], o.padding[1], o.padding[3], from.W);
}

function normalised(layer, cell, [tap]) {
  const [w, b, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(n => layer.parameter(n, cell.c)[0]);
  const computed = (tap.value - mean) / Math.sqrt(variance + layer.options.epsilon) * w + b;
  return [total(`(${show(tap.value)} \u2212 mean ${inner(mean)}) / \u221a(variance ${show(variance)} + ${layer.options.epsilon}) ` +
                `\u00b7 ${inner(w)} + ${inner(b)}`, computed, layer.read(cell))];
}

const ACTIVATIONS = {
  silu: x => x / (1 + Math.exp(-x)),
  hard_swish: x => x * Math.min(Math.max(x + 3, 0), 6) / 6,
  sigmoid: x => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

function activated(layer, cell, [tap]) {
  const o = layer.options, x = tap.value;
  if ("relu relu6 clamp".split(" ").includes(o.activation)) {
    const high = o.high === undefined ? Infinity : o.high;
    const raised = `max(${o.low}, ${show(x)})`;
    return [total(high < Infinity ? `min(${high}, ${raised})` : raised, Math.min(high, Math.max(o.low, x)), layer.read(cell))];
  }
  if (o.activation === "leaky_relu") return [total(`${show(x)} times ${x > 0 ? 1 : show(o.slope)}`, x > 0 ? x : x * o.slope, layer.read(cell))];
  const f = ACTIVATIONS[o.activation];
  return f ? [total(`${o.activation}(${show(x)})`, f(x), layer.read(cell))] :
      [el("p", {}, `${o.activation}(${show(x)}) = ${show(layer.read(cell))}`)];
}

function softmaxed(layer, cell, list) {
  const best = Math.max(...list.map(t => t.value)), powers = list.map(t => Math.exp(t.value - best)), all = sum(powers);
  const order = list.map((t, i) => i).sort((a, b) => list[b].value - list[a].value).slice(0, 10);
  const table = el("table", { className: "words" },
                   el("tr", {}, ...["class", "logit", "exp(logit \u2212 largest)", "share"].map(h => el("th", { scope: "col" }, h))));
  for (const i of order)
    table.append(el("tr", { className: i === cell.c ? "chosen" : "" }, el("td", {}, className(i)),
                    ...[list[i].value, powers[i], powers[i] / all].map(v => el("td", {}, show(v)))));
  return [box(table), total(`${show(powers[cell.c])} / ${show(all)}, the sum over ${list.length} classes,`,
                            powers[cell.c] / all, layer.read(cell))];
}

function copied(layer, cell, list) {
  if (layer.type === "add")
    return [total(`${show(list[0].value)} from ${layer.source(0).name} + ${inner(list[1].value)} from ${layer.source(1).name}`,
                  list[0].value + list[1].value, layer.read(cell))];
  const t = list[0];
  return [total(t.src < 0 ? "A channel of zeros" :
                `Taken over from ${layer.source(t.src).name}, channel ${t.c}, row ${t.y}, column ${t.x}:`, t.value, layer.read(cell))];
}

function explain(layer, cell, list) {
  if (!layer.index) return [el("p", {}, "The picture as the network is given it: scaled and normalised pixels, nothing computed yet.")];
  if (!list.length) return [el("p", {}, `How ${layer.type} reads its source is not shown in this walk.`)];
  if (layer.weighs) return weighedSum(layer, cell, list);
  if (layer.type.includes("pool")) return pooled(layer, cell, list);
  if (layer.type === "batch_norm") return normalised(layer, cell, list);
  if (layer.type === "softmax") return softmaxed(layer, cell, list);
  return layer.options.activation ? activated(layer, cell, list) : copied(layer, cell, list);
}

// ---- Change a number ----

// What a twin computes anew, beside what the layer gave.
function result(id, words) {
  const out = el("p", { className: "total", id, "aria-live": "polite" });
  out.say = (value, stored, more = "") => {
    Object.assign(out.dataset, { twin: value, stored });
    out.replaceChildren(`${words}: `, el("b", {}, show(value)), `; the layer gave ${show(stored)}` +
        (Math.abs(value - stored) <= 1e-5 * Math.max(1, Math.abs(stored)) ? ", the same." : `: ${value > stored ? "+" : "\u2212"}${show(Math.abs(value - stored))}.`) + more);
  };
  return out;
}

function tried(out, compute) {
  try { compute(); } catch (e) { out.textContent = e.message + "."; }
}

function weighedLab(layer, cell, list) {
  const window = list.map(t => t.value), weights = [...layer.parameter("weight", cell.c)], own = layer.parameter("bias", cell.c);
  const bias = own ? [own[0]] : null, [kh, kw] = layer.kernel, channels = list.length / kh / kw;
  const out = result("twin-conv2d", "reference/conv2d.cpp");
  const compute = () => tried(out, () => {
    const shape = [1, channels, kh, kw];
    const [value] = twins.conv2d({ src: { shape, values: window }, weight: { shape, values: weights }, bias: bias && { shape: [1], values: bias } });
    out.say(value, layer.read(cell));
  });
  const channel = inputChannel(layer, list), single = kh * kw === 1;
  const indices = single ? contributions(list, weights).slice(0, MOST_ROWS).map(o => o.taps[0]) :
      list.map((t, i) => i).filter(i => list[i].c === channel);
  const change = array => (i, v) => { array[indices[i]] = v; compute(); };
  const from = single ? "inputs that weigh most" : `window of input channel ${channel}`;
  const nodes = [el("div", { className: "row" }, grid(from, indices.map(i => window[i]), single ? 4 : kw, { edit: change(window) }), el("b", {}, "\u00d7"),
                    grid("weights", indices.map(i => weights[i]), single ? 4 : kw, { edit: change(weights) })), out];
  if (bias) nodes.unshift(el("p", { className: "options" }, labelled("bias", bias[0], v => { bias[0] = v; compute(); })));
  compute();
  return [...nodes, ...winogradLab(layer, cell, list, indices), ...backwardLab(layer), ...sgdLab(layer, cell, list, indices)];
}

// The whole layer backward by its twin: the gradient of what it gave becomes that of what it read,
// where nothing else reads this.
function backwardLab(layer) {
  const from = layer.source(), readers = LAYERS.filter(l => (l.src || []).includes(from.index));
  if (!FACTS.whole || !layer.gradient || readers.length > 1) return [];
  const o = layer.options, [kh, kw] = layer.kernel;
  const button = el("button", { id: "backward" }, "compute the whole gradient of its source");
  const out = el("p", { className: "total", id: "twin-backward", "aria-live": "polite", hidden: true });
  button.addEventListener("click", () => tried(out, () => {
    const weight = unpack(layer.parameters.weight), inputs = weight.length / layer.C / kh / kw;
    const dy = unpack(layer.gradient), start = performance.now();
    const d = twins.conv2dBackward({ src: { shape: [1, from.C, from.H, from.W], values: [...from.all] }, weight: { shape: [layer.C, inputs, kh, kw], values: [...weight] },
                                     dy: { shape: [1, layer.C, layer.H, layer.W], values: [...dy] }, stride: o.stride, padding: o.padding, dilation: o.dilation, groups: o.groups });
    const seconds = (performance.now() - start) / 1000, stored = unpack(from.gradient);
    const apart = stored.reduce((m, v, i) => Math.max(m, Math.abs(v - d.src[i])), 0) / largest(stored);
    Object.assign(out.dataset, { twin: apart, stored: 0 });
    out.hidden = false;
    out.textContent = `${countText(stored.length)} gradients by reference/conv2d.cpp in WebAssembly, in ${timeText(seconds)} (the fast kernel: ${timeText(layer.backward)}); ` +
        `they are at most ${show(apart)} of the largest away from the library\u2019s, which the page holds rounded to ${show(1 / 32767)}.`;
  }));
  return [el("h4", {}, "Backward"), el("p", { className: "soft" }, "Each product w \u00b7 x of a sum gives w \u00b7 dy to the gradient of x and x \u00b7 dy to that of w."), button, out];
}

// F(2x2, 3x3) of one input channel: the tile of 4 x 4 pixels that the cell's window lies in.
function winogradLab(layer, cell, list, indices) {
  const o = layer.options, ones = v => v[0] === 1 && v[1] === 1;
  if (layer.type !== "conv2d" || !(o.kernel[0] === 3 && o.kernel[1] === 3 && ones(o.stride) && ones(o.dilation))) return [];
  const channel = list[indices[0]].c, from = layer.source();
  const y0 = cell.y - cell.y % 2, x0 = cell.x - cell.x % 2, d = [];
  for (let i = 0; i < 4; ++i)
    for (let j = 0; j < 4; ++j) {
      const at = { c: channel, y: y0 - o.padding[0] + i, x: x0 - o.padding[1] + j };
      const inside = at.y >= 0 && at.x >= 0 && at.y < from.H && at.x < from.W;
      const known = list.find(t => t.src === 0 && t.c === channel && t.y === at.y && t.x === at.x);
      d.push(FACTS.whole && inside ? from.read(at) : known ? known.value : 0);
    }
  const weights = layer.parameter("weight", cell.c), g = indices.map(i => weights[i]);
  const steps = el("div", { className: "row" }), out = el("p", { className: "total", id: "twin-winograd", "aria-live": "polite" });
  const compute = () => tried(out, () => {
    const w = twins.winograd({ d, g });
    const direct = twins.conv2d({ src: { shape: [1, 1, 4, 4], values: d }, weight: { shape: [1, 1, 3, 3], values: g } });
    steps.replaceChildren(grid("B\u1d40 d B", [...w.input], 4), grid("G g G\u1d40", [...w.weight], 4), grid("product: 16 multiplied", [...w.product], 4),
                          grid("A\u1d40 product A", [...w.output], 2), grid("direct: 36", [...direct], 2));
    const apart = Math.max(...w.output.map((v, i) => Math.abs(v - direct[i])));
    Object.assign(out.dataset, { twin: w.output[cell.y % 2 * 2 + cell.x % 2], stored: direct[cell.y % 2 * 2 + cell.x % 2] });
    out.textContent = `Winograd's outputs and the direct sums are at most ${show(apart)} apart.`;
  });
  compute();
  const edit = array => (i, v) => { array[i] = v; compute(); };
  return [el("h4", {}, "The same by Winograd\u2019s F(2 \u00d7 2, 3 \u00d7 3)"),
          el("p", { className: "soft" }, `Input channel ${channel}, the 4 \u00d7 4 pixels that outputs (${y0}, ${x0}) to (${y0 + 1}, ${x0 + 1}) read.` +
             (FACTS.whole ? "" : " The page holds this cell\u2019s 3 \u00d7 3 of them; the others start at 0.")),
          el("div", { className: "row" }, grid("pixels d", d, 4, { edit: edit(d) }), grid("weights g", g, 3, { edit: edit(g) })), steps, out];
}

// One step of SGD on this output channel's weights, the loss being minus the explained logit.
function sgdLab(layer, cell, list, indices) {
  const rows = layer.parameter("gradient", cell.c), weights = layer.parameter("weight", cell.c), bias = layer.parameter("bias", cell.c);
  const heading = el("h4", {}, "One step of SGD on these weights");
  if (!layer.weight_gradient) return [];
  if (!rows) return [heading, el("p", {}, `The page holds the weights\u2019 gradients of channels ${FACTS.whole ? "0 to 7" : layer.channels.join(", ")} only; choose one of these.`)];
  const o = { rate: 0.01, momentum: 0.9, decay: 0, velocity: 0 };
  const tables = el("div", { className: "row" }), out = el("p", { className: "total", id: "twin-sgd", "aria-live": "polite" });
  const compute = () => tried(out, () => {
    const gradient = [...rows].map(v => -v);
    const next = twins.sgd({ weight: [...weights], velocity: gradient.map(() => o.velocity), gradient, rate: o.rate, momentum: o.momentum, decay: o.decay });
    const columns = layer.kernel[0] * layer.kernel[1] === 1 ? 4 : layer.kernel[1];
    tables.replaceChildren(grid("gradient of the loss", indices.map(i => gradient[i]), columns), grid("weights before", indices.map(i => weights[i]), columns),
                           grid("weights after", indices.map(i => next.weight[i]), columns));
    const after = sum(list.map((t, i) => t.value * next.weight[i])) + (bias ? bias[0] : 0);
    Object.assign(out.dataset, { twin: next.weight[indices[0]], stored: weights[indices[0]] - o.rate * (o.momentum * o.velocity + gradient[indices[0]] + o.decay * weights[indices[0]]) });
    out.textContent = `With the new weights this cell becomes ${show(after)}; it was ${show(layer.read(cell))}.`;
  });
  compute();
  const option = (name, key) => labelled(name, o[key], v => { o[key] = v; compute(); });
  return [heading, el("p", { className: "soft" }, `The loss is minus the logit of ${className(FACTS.explained)}: a step makes the network surer of it. v = momentum v + g + decay w; w = w \u2212 rate v.`),
          el("p", { className: "options" }, option("rate", "rate"), option("momentum", "momentum"), option("weight decay", "decay"), option("velocity before", "velocity")), tables, out];
}

function poolLab(layer, cell, list) {
  const values = list.map(t => t.value), columns = new Set(list.map(t => t.x)).size, max = layer.type === "max_pool2d";
  if (values.length > 64) return [el("p", {}, `A window of ${values.length} numbers is too large to be typed; look at a smaller pool.`)];
  if (layer.type === "avg_pool2d" && countedPlaces(layer, cell) !== values.length || max && layer.options.zero)
    return [el("p", {}, "This window hangs into the padding; choose a cell further inside.")];
  const kernel = [values.length / columns, columns], out = result("twin-pool2d", "reference/pool2d.cpp");
  const compute = () => tried(out, () => {
    const [value] = twins.pool2d({ src: { shape: [1, 1, ...kernel], values }, max, kernel, stride: kernel });
    out.say(value, layer.read(cell));
  });
  compute();
  return [grid("window", values, columns, { edit: (i, v) => { values[i] = v; compute(); } }), out];
}

function normLab(layer, cell, [tap]) {
  const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(n => layer.parameter(n, cell.c)[0]);
  const o = { value: tap.value, weight, bias, mean, var: variance, epsilon: layer.options.epsilon };
  const one = v => ({ shape: [1], values: [v] }), out = result("twin-batch-norm", "reference/batch_norm.cpp");
  const compute = () => tried(out, () => {
    const [value] = twins.frozenBatchNorm({ src: { shape: [1, 1], values: [o.value] }, weight: one(o.weight), bias: one(o.bias), mean: one(o.mean), var: one(o.var), epsilon: o.epsilon });
    out.say(value, layer.read(cell));
  });
  compute();
  const nodes = [el("p", { className: "options" }, ...Object.keys(o).map(key => labelled(key, o[key], v => { o[key] = v; compute(); }))), out];
  const from = FACTS.whole && layer.source().tile(cell.c, false);
  if (from) {
    const own = twins.batchNorm({ src: { shape: [1, 1, from.h, from.w], values: [...from.values] }, weight: one(weight), bias: one(bias), epsilon: o.epsilon });
    nodes.push(el("p", { className: "soft" }, `In training the batch\u2019s own mean and variance count: of this picture alone they are ${show(own.mean[0])} and ` +
                  `${show(own.var[0])}, and this cell would become ${show(own.dst[cell.y * from.w + cell.x])}.`));
  }
  return nodes;
}

function softmaxLab(layer, cell, list) {
  const logits = list.map(t => t.value), order = logits.map((v, i) => i).sort((a, b) => logits[b] - logits[a]).slice(0, 10);
  const out = result("twin-softmax", `reference/softmax.cpp, probability of ${className(cell.c)}`), table = el("table", { className: "words" });
  const shares = order.map(() => el("td"));
  order.forEach((c, k) => table.append(el("tr", {}, el("td", {}, className(c)), el("td", {}, input(`logit of ${className(c)}`, logits[c], v => { logits[c] = v; compute(); })), shares[k])));
  const compute = () => tried(out, () => {
    const p = twins.softmax({ src: { shape: [1, logits.length], values: logits } });
    order.forEach((c, k) => { shares[k].textContent = show(p[c]); });
    out.say(p[cell.c], layer.read(cell));
  });
  compute();
  return [box(el("div", { className: "grid" }, table)), out];
}

function lab(layer, cell, list) {
  if (!twins || !list.length) return [];
  if (layer.weighs) return weighedLab(layer, cell, list);
  if (layer.type.includes("pool")) return poolLab(layer, cell, list);
  if (layer.type === "batch_norm") return normLab(layer, cell, list);
  return layer.type === "softmax" ? softmaxLab(layer, cell, list) : [];
}

// ---- Words ----

const className = c => {
  const name = FACTS.labels[c] ? FACTS.labels[c].split(", ")[0] : String(c);
  return /^\d+$/.test(name) ? "class " + name : name;
};
const sub = text => el("sub", {}, text);
const FORMULAS = {
  conv2d: ["y(o, r, c) = b(o) + \u03a3", sub("i,u,v"), " w(o, i, u, v) \u00b7 x(i, r\u00b7s + u\u00b7d \u2212 p, c\u00b7s + v\u00b7d \u2212 p)"],
  linear: ["y(o) = b(o) + \u03a3", sub("i"), " w(o, i) \u00b7 x(i)"],
  max_pool2d: ["y(c, r, s) = max over the window of x(c, \u00b7, \u00b7)"],
  avg_pool2d: ["y(c, r, s) = sum of the window of x(c, \u00b7, \u00b7) / its places"],
  adaptive_avg_pool2d: ["y(c, r, s) = mean of x(c, \u00b7, \u00b7) over window (r, s)"],
  global_avg_pool: ["y(c) = \u03a3", sub("r,s"), " x(c, r, s) / (H \u00b7 W)"],
  batch_norm: ["y = (x \u2212 mean(c)) / \u221a(var(c) + \u03b5) \u00b7 w(c) + b(c)"],
  relu: ["y = max(0, x)"], relu6: ["y = min(6, max(0, x))"], clamp: ["y = min(high, max(low, x))"],
  silu: ["y = x / (1 + e", el("sup", {}, "\u2212x"), ")"], hard_swish: ["y = x \u00b7 min(max(x + 3, 0), 6) / 6"],
  gelu: ["y = x \u00b7 \u03a6(x)"], sigmoid: ["y = 1 / (1 + e", el("sup", {}, "\u2212x"), ")"], tanh: ["y = tanh x"],
  leaky_relu: ["y = x where x > 0, else slope \u00b7 x"],
  add: ["y = x", sub("1"), " + x", sub("2")], concat: ["y = the sources\u2019 channels, one behind the other"],
  flatten: ["y((c\u00b7H + r)\u00b7W + s) = x(c, r, s)"], dropout: ["y = x (in training some values are set to 0)"],
  slice_pad: ["y(before + c, r, s) = x(c, r\u00b7stride, s\u00b7stride), other channels 0"],
  softmax: ["y(c) = e", el("sup", {}, "x(c)"), " / \u03a3", sub("k"), " e", el("sup", {}, "x(k)")],
};

function describe(layer) {
  const o = layer.options, from = layer.index ? layer.source() : null;
  switch (layer.type) {
    case "picture": return "The numbers that the network is given.";
    case "conv2d": {
      const taps = from.C / o.groups * o.kernel[0] * o.kernel[1];
      return `Each of ${layer.C} output channels slides a window of ${times(...o.kernel)} over ${counted(from.C / o.groups, "input channel")}, ` +
          `${counted(o.stride[0], "pixel")} a step, ${o.padding[0] ? counted(o.padding[0], "row") + " of zeros around" : "no padding"}: ` +
          `${counted(taps, "product")} a number.`;
    }
    case "linear": return `Each of ${layer.C} outputs weighs all ${from.C} inputs.`;
    case "max_pool2d": return `Of each window of ${times(...o.kernel)} the largest number stays; a step is ${counted(o.stride[0], "pixel")}.`;
    case "avg_pool2d": return `Each window of ${times(...o.kernel)} becomes its mean; a step is ${counted(o.stride[0], "pixel")}.`;
    case "global_avg_pool": return `Each of ${layer.C} maps becomes one number, its mean.`;
    case "batch_norm": return "Each channel is shifted and scaled by the mean and variance that training has gathered, then by weights that it has learned.";
    case "softmax": return "Logits become shares that sum up to 1.";
    case "add": return "The sum of a residual block: what the block computed and what went past it.";
    case "concat": return `${layer.src.length} sources stand side by side as ${layer.C} channels.`;
    case "flatten": return "Maps become one row of numbers; nothing is computed.";
    case "dropout": return "In training some values are dropped at random; here it changes nothing.";
    case "slice_pad": return "The shortcut of a ResNet for CIFAR: every other pixel, and channels of zeros around it.";
    default: return layer.options.activation ? "Each number by itself." : "";
  }
}

function cost(layer) {
  if (!layer.index) return [];
  const compute = 2 * layer.macs / FACTS.flops, memory = layer.bytes / FACTS.bandwidth;
  const most = Math.max(layer.forward || 0, layer.roof, layer.backward || 0);
  const bar = (name, seconds, roof) => seconds === undefined ? [] :
      [el("span", {}, name), el("div", {}, Object.assign(el("i", { className: roof ? "roof" : "" }), { style: `display:block;width:${100 * seconds / most}%` })), el("span", {}, timeText(seconds))];
  const row = (name, text) => el("tr", {}, el("td", {}, name), el("td", {}, text));
  const bars = el("div", { className: "bars" }, ...bar("forward, measured", layer.forward), ...bar("roofline of it", layer.roof, true),
                  ...(layer.gradient || layer.gradients ? bar("backward, measured", layer.backward) : []));
  const words = `The roofline is what ${compute > memory ? "the multiply-adds" : "moving the bytes"} would take here at best: ` +
      `${timeText(compute)} of arithmetic at ${(FACTS.flops / 1e9).toFixed(0)} GFLOP/s (the most that was seen here), ${timeText(memory)} of memory at ` +
      `${(FACTS.bandwidth / 1e9).toFixed(1)} GB/s.` + (layer.forward >= layer.roof ? "" : layer.source_key === "winograd" && compute > memory ?
          " Winograd\u2019s algorithm stays below that, as it multiplies less often than the sums have products." :
          " This layer stays below that: its numbers still lie in the cache.");
  return [bars, el("p", { className: "soft" }, words),
          box(el("table", { className: "words" }, row("multiply-adds", countText(layer.macs)), row("bytes read and written", bytesText(layer.bytes)),
                 row("memory of the output", bytesText(4 * layer.C * layer.H * layer.W)), row("memory of the weights", bytesText(layer.weight_bytes)),
                 row("computed by", layer.implementation)))];
}

function quote(s, open) {
  const lines = s.text.trimEnd().split("\n").map((line, i) => String(s.line + i).padStart(4) + "  " + line).join("\n");
  return el("details", { open }, el("summary", {}, `${s.file}:${s.line} ${s.name}`),
            el("pre", { tabIndex: 0, role: "group", "aria-label": `lines of ${s.file}`, data: { file: s.file, line: s.line } }, lines));
}

function quotations(layer) {
  if (!layer.index) return [el("p", {}, "The picture is no layer.")];
  const o = layer.options, keys = [layer.source_key];
  if (layer.type === "conv2d" && o.kernel[0] === 3 && o.kernel[1] === 3 && o.stride[0] === 1)
    keys.push(layer.source_key === "winograd" ? "conv2d" : "winograd");
  const out = [];
  for (const [i, key] of keys.entries()) {
    const found = FACTS.sources[key];
    if (!found) { out.push(el("p", {}, `No lines are quoted for ${layer.type}.`)); continue; }
    const part = (title, list) => el("section", {}, el("h4", {}, title), ...list.map((s, k) => quote(s, i === 0 && k === 0)));
    const name = key === "winograd" ? ", by Winograd" : key === "conv2d" && keys.length > 1 ? ", directly" : "";
    const fast = part("The fast kernel" + name, found.fast);
    if (/brg|jit|gemm|ref:|dw/.test(layer.implementation) && key === layer.source_key)
      fast.firstChild.after(el("p", { className: "soft" }, `These lines call oneDNN, whose ${layer.implementation} it was here.`));
    out.push(el("div", { className: "columns" }, part("The plain twin" + name, found.twin), fast));
  }
  return out;
}

// ---- The page ----

function renderCell(layer) {
  const list = taps(layer, state.cell), { c, y, x } = state.cell;
  if (layer.weighs && !list.some(t => t.c === state.input))
    state.input = contributions(list, layer.parameter("weight", c))[0].channel;
  drawGallery(layer);
  drawMaps(layer, list);
  const gradient = layer.readGradient(state.cell);
  const place = layer.isMap ? `Channel ${c}, row ${y}, column ${x}` : layer.C === FACTS.labels.length ? className(c) : `Number ${c}`;
  $("cell").textContent = `${place}: ${show(layer.read(state.cell))}.` +
      (gradient === null || gradient === undefined ? "" : ` If it grew by 1, the logit of ${className(FACTS.explained)} would grow by about ${show(gradient)}.`);
  $("sum").replaceChildren(...explain(layer, state.cell, list));
  const nodes = lab(layer, state.cell, list);
  $("lab-section").hidden = !nodes.length;
  $("lab").replaceChildren(...nodes);
}

function renderLayer(layer) {
  $("name").textContent = `${layer.index}. ${layer.title}`;
  $("words").textContent = describe(layer);
  $("formula").hidden = !FORMULAS[layer.type];
  $("formula").replaceChildren(...(FORMULAS[layer.type] || []));
  if (layer.type === "conv2d") {
    const { stride, dilation, padding } = layer.options;
    $("formula").append(`, where s = ${stride[0]} is the stride, d = ${dilation[0]} the dilation, p = ${padding[0]} the padding`);
  }
  const fact = (name, text) => el("div", {}, el("dt", {}, name), el("dd", {}, text));
  const sources = (layer.src || []).map(s => LAYERS[s]);
  $("facts").replaceChildren(...(sources.length ? [fact("reads", sources.map(s => `${s.name}: ${times(...s.shape)}`).join(" and "))] : []),
                             fact("gives", times(...layer.shape)), fact("layer", layer.type),
                             ...(layer.parameters && layer.weight_bytes ? [fact("weights", countText(layer.weight_bytes / 4) + " numbers")] : []));
  $("cost").parentElement.hidden = !layer.index;
  $("cost").replaceChildren(...cost(layer));
  $("lines").parentElement.hidden = !layer.index;
  $("lines").replaceChildren(...quotations(layer));
  $("layer").value = layer.index;
  $("previous").disabled = layer.index === 0;
  $("next").disabled = layer.index === LAYERS.length - 1;
}

// what: "layer", all of it; "cell" or "input", what hangs on the cell.
function render(what) {
  const layer = LAYERS[state.layer];
  if (what === "layer") renderLayer(layer);
  const focused = document.activeElement && document.activeElement.closest("#sum button") ? state.input : null;
  renderCell(layer);
  if (focused !== null) {
    const button = [...document.querySelectorAll("#sum button")].find(b => b.textContent === String(focused));
    if (button) button.focus();
  }
  document.documentElement.dataset.layer = state.layer;
}

// Where a layer is looked at first: the explained class's number, else the largest that is held and
// whose window lies in the picture.
function firstCell(layer) {
  if (!layer.isMap && layer.C === LAYERS[FACTS.logits].C) return layer.nearest({ c: FACTS.explained, y: 0, x: 0 });
  const edge = Math.min((layer.options.padding || [0])[0], Math.floor((Math.min(layer.H, layer.W) - 1) / 2));
  const inside = (y, x) => y >= edge && x >= edge && y < layer.H - edge && x < layer.W - edge;
  let best = null, most = -Infinity;
  const look = (value, c, y, x) => { if (value > most && inside(y, x)) [most, best] = [value, { c, y, x }]; };
  if (FACTS.whole)
    layer.all.forEach((v, i) => look(v, Math.floor(i / layer.H / layer.W), Math.floor(i / layer.W) % layer.H, i % layer.W));
  else
    unpack(layer.values).forEach((v, i) => look(v, layer.channels[Math.floor(i / layer.places.length)], ...layer.places[i % layer.places.length]));
  return best || layer.nearest({ c: 0, y: 0, x: 0 });
}

function goTo(index) {
  if (index < 0 || index >= LAYERS.length) return;
  state.layer = index;
  state.cell = firstCell(LAYERS[index]);
  state.input = -1;
  render("layer");
}

function chooseCell(cell) {
  state.cell = LAYERS[state.layer].nearest(cell);
  render("cell");
}

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function listen() {
  $("previous").addEventListener("click", () => goTo(state.layer - 1));
  $("next").addEventListener("click", () => goTo(state.layer + 1));
  $("layer").addEventListener("change", () => goTo(+$("layer").value));
  for (const radio of document.querySelectorAll("input[name=shown]"))
    radio.addEventListener("change", () => { state.gradient = $("gradient").checked; render("cell"); });
  document.addEventListener("keydown", event => {
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest("canvas, input, select, pre, .box")) return;
    if (event.key === "ArrowLeft") goTo(state.layer - 1);
    if (event.key === "ArrowRight") goTo(state.layer + 1);
  });
  onCanvas("map", (dy, dx) => LAYERS[state.layer].step(state.cell, dy, dx), (u, v) => {
    const layer = LAYERS[state.layer];
    return { c: state.cell.c, y: Math.floor(v * layer.H), x: Math.floor(u * layer.W) };
  });
  onCanvas("gallery", nextChannel, (u, v) => {
    const canvas = $("gallery");
    return galleryChannel(Math.floor(v * canvas.height / galleryTile[0]) * galleryColumns + Math.floor(u * canvas.width / galleryTile[1]));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); render("cell"); });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; render("cell"); } });
}

// Arrows, a pointer that is pressed, and a mouse that passes over it: all choose a cell.
function onCanvas(id, moved, pointed) {
  const canvas = $(id);
  canvas.addEventListener("keydown", event => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    chooseCell(moved(...ARROWS[event.key]));
  });
  const follow = event => {
    const box = canvas.getBoundingClientRect();
    chooseCell(pointed((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
  };
  canvas.addEventListener("pointerdown", follow);
  if (id === "map") canvas.addEventListener("pointermove", event => { if (event.pointerType === "mouse") follow(event); });
}

const galleryIndex = () => LAYERS[state.layer].drawn(state.gradient).indexOf(state.cell.c);
function galleryChannel(i) {
  const channels = LAYERS[state.layer].drawn(state.gradient);
  return { ...state.cell, c: channels[Math.min(Math.max(i, 0), channels.length - 1)] ?? state.cell.c };
}

// The channel that an arrow leads to, of those whose numbers the page holds.
function nextChannel(dy, dx) {
  if (FACTS.whole) return galleryChannel(galleryIndex() + dy * galleryColumns + dx);
  const { channels } = LAYERS[state.layer], k = channels.indexOf(state.cell.c) + dy + dx;
  return { ...state.cell, c: channels[Math.min(Math.max(k, 0), channels.length - 1)] };
}

function renderFrame() {
  $("about").textContent = FACTS.about;
  $("picture").src = FACTS.picture;
  const softmax = LAYERS[LAYERS.length - 1], list = taps(softmax, softmax.nearest({ c: FACTS.explained, y: 0, x: 0 }));
  const best = Math.max(...list.map(t => t.value)), powers = list.map(t => Math.exp(t.value - best)), all = sum(powers);
  const order = powers.map((v, i) => i).sort((a, b) => powers[b] - powers[a]).slice(0, 3);
  const bars = el("div", { className: "bars" });
  for (const c of order)
    bars.append(el("span", {}, className(c)), el("div", {}, Object.assign(el("i"), { style: `display:block;width:${100 * powers[c] / all}%` })),
                el("span", {}, (100 * powers[c] / all).toFixed(1) + " %"));
  $("answer").append("The answer:", bars, `Gradients are of the logit of ${className(FACTS.explained)}.`);
  for (const layer of LAYERS) $("layer").append(el("option", { value: layer.index }, `${layer.index} of ${LAYERS.length - 1}: ${layer.title}, ${layer.type}`));
  $("selection").textContent = FACTS.selection + (FACTS.not_shown.length ? ` Not shown is how these read their sources: ${FACTS.not_shown.join(", ")}.` : "");
  $("machine").textContent = `Measured on ${FACTS.processor}, ${counted(FACTS.threads, "thread")}, each layer by itself, the fastest of several runs. ` +
      `As Limbic computes it, layers fused, the whole takes ${timeText(FACTS.seconds)} and ${bytesText(FACTS.arena_bytes)} for activations beside ${bytesText(FACTS.weight_bytes)} of weights. ` +
      "Colours: 0 is the paper, blue is positive, orange negative; maps side by side share one scale, a large one has its own.";
}

async function start() {
  numbers = await inflate(decode64($("numbers").textContent));
  LAYERS = FACTS.layers.map((data, i) => new Layer(data, i));
  twins = await openTwins(decode64($("wasm").textContent));
  readColours();
  renderFrame();
  listen();
  goTo(FACTS.start);
  document.documentElement.dataset.ready = "yes";
}

start().catch(e => { $("about").textContent = "This page could not be shown: " + e.message; throw e; });
