// The curves: an SVG drawn anew whenever a choice changes, and a legend of buttons that toggle.

const WIDTH = 960, HEIGHT = 520;
const FRAME = { left: 56, right: WIDTH - 170, top: 14, bottom: HEIGHT - 46 };
const LABEL_STEP = 14;
const REACHES = [0.5, 1, 2, 4];
const shown = new Set(data.curves.filter((curve) => curve.shown).map((curve) => curve.codec));

const MARKS = {
  o: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  s: "M-3.5 -3.5h7v7h-7z",
  D: "M0 -4.8L4.8 0L0 4.8L-4.8 0z",
  "^": "M0 -4.6L4.4 3.4H-4.4z",
  v: "M0 4.6L4.4 -3.4H-4.4z",
  x: "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5",
};

function mark(curve, x, y) {
  return drawn("path", { class: "mark", d: MARKS[curve.marker], transform: `translate(${x} ${y})`, "stroke-dasharray": "none" });
}

// The dB of a point by the metric chosen, or null where it has none that can be drawn.
function level(point) {
  const value = number(point[byId("metric").value]);
  return Number.isFinite(value) ? value : null;
}

function visiblePoints(curve, reach) {
  return curve.points.filter((point) => point.bpp <= reach && level(point) !== null);
}

// [bpp, dB] along the curve, as far as the right edge where it goes beyond.
function outline(curve, reach) {
  const drawable = curve.points.filter((point) => level(point) !== null);
  const inside = drawable.filter((point) => point.bpp <= reach);
  const [last, next] = [inside.at(-1), drawable[inside.length]];
  const corners = inside.map((point) => [point.bpp, level(point)]);
  if (!last || !next) return corners;
  const share = (reach - last.bpp) / (next.bpp - last.bpp);
  return [...corners, [reach, level(last) + share * (level(next) - level(last))]];
}

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function axes(scale) {
  const group = drawn("g");
  for (const value of ticks(scale.low, scale.high, 8)) {
    const y = scale.y(value);
    group.append(drawn("line", { class: "grid", x1: FRAME.left, x2: FRAME.right, y1: y, y2: y }));
    group.append(drawn("text", { x: FRAME.left - 8, y: y + 4, "text-anchor": "end" }, String(+value.toPrecision(6))));
  }
  for (const value of ticks(0, scale.reach, 8)) {
    const x = scale.x(value);
    group.append(drawn("line", { class: "grid", x1: x, x2: x, y1: FRAME.top, y2: FRAME.bottom }));
    group.append(drawn("text", { x, y: FRAME.bottom + 18, "text-anchor": "middle" }, String(+value.toPrecision(6))));
  }
  const middle = (FRAME.left + FRAME.right) / 2;
  group.append(drawn("text", { x: middle, y: HEIGHT - 8, "text-anchor": "middle" }, "bits a pixel"));
  const name = byId("metric").selectedOptions[0].textContent;
  const turn = `translate(14 ${(FRAME.top + FRAME.bottom) / 2}) rotate(-90)`;
  group.append(drawn("text", { transform: turn, "text-anchor": "middle" }, name));
  return group;
}

function makeScale(curves, reach) {
  const levels = curves.flatMap((curve) => outline(curve, reach).map(([, db]) => db));
  const low = levels.length ? Math.floor(Math.min(...levels)) : 0;
  const high = levels.length ? Math.max(low + 1, Math.ceil(Math.max(...levels))) : 1;
  return {
    reach, low, high,
    x: (bpp) => FRAME.left + (bpp / reach) * (FRAME.right - FRAME.left),
    y: (db) => FRAME.bottom - ((db - low) / (high - low)) * (FRAME.bottom - FRAME.top),
  };
}

function pointWords(curve, point) {
  const quality = point.quality === null ? "" : `, quality ${point.quality}`;
  return `${curve.label}${quality}: ${text(point.bpp, 3)} bpp, ${text(level(point), 2)} dB`;
}

function drawCurve(curve, scale) {
  const path = outline(curve, scale.reach).map(([bpp, db], i) => `${i ? "L" : "M"}${scale.x(bpp)} ${scale.y(db)}`).join("");
  const group = drawn("g", { class: `curve ${curve.published ? "published" : "measured"}`, "data-codec": curve.codec });
  group.style.setProperty("--colour", curve.colour);
  group.append(drawn("path", { d: path, "stroke-dasharray": curve.dash }));
  for (const point of visiblePoints(curve, scale.reach)) {
    const made = mark(curve, scale.x(point.bpp), scale.y(level(point)));
    made.append(drawn("title", {}, pointWords(curve, point)));
    group.append(made);
  }
  return group;
}

// A label beside where each curve ends or leaves, pushed down where it would cover the one above.
function labels(curves, scale) {
  const ends = curves.map((curve) => ({ curve, end: outline(curve, scale.reach).at(-1) })).filter((row) => row.end);
  const rows = ends.map(({ curve, end: [bpp, db] }) => ({ curve, x: scale.x(bpp), y: scale.y(db) })).sort((a, b) => a.y - b.y);
  let last = -Infinity;
  return rows.map(({ curve, x, y }) => {
    last = Math.max(y + 4, last + LABEL_STEP);
    const line = drawn("line", { class: "grid", x1: x + 6, y1: y, x2: FRAME.right + 6, y2: last - 4, "stroke-dasharray": "1 3" });
    const word = drawn("text", { x: FRAME.right + 10, y: last, "data-label": curve.codec }, curve.label);
    return drawn("g", {}, line, word);
  });
}

function drawChart() {
  const reach = Number(byId("reach").value);
  const curves = data.curves.filter((curve) => shown.has(curve.codec));
  const scale = makeScale(curves, reach);
  const words = `Curves of ${curves.map((curve) => curve.label).join(", ")}`;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  svg.append(axes(scale), ...labels(curves, scale), ...curves.map((curve) => drawCurve(curve, scale)));
  byId("chart").replaceChildren(svg);
}

function legendButton(curve) {
  const swatch = drawn("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" });
  swatch.append(drawn("path", { d: "M0 6H30", "stroke-dasharray": curve.dash }), mark(curve, 15, 6));
  swatch.style.setProperty("--colour", curve.colour);
  const button = element("button", { type: "button", "data-codec": curve.codec }, swatch, curve.label);
  button.addEventListener("click", () => show((codec) => (codec === curve.codec) !== shown.has(codec)));
  return button;
}

// Shows exactly the curves that `wanted` says yes to.
function show(wanted) {
  const chosen = data.curves.filter((curve) => wanted(curve.codec, curve)).map((curve) => curve.codec);
  shown.clear();
  chosen.forEach((codec) => shown.add(codec));
  for (const button of byId("legend").children) button.setAttribute("aria-pressed", shown.has(button.dataset.codec));
  drawChart();
}

fillSelect(byId("metric"), data.metrics.map(({ key, label }) => [key, label]), data.metrics[0].key);
fillSelect(byId("reach"), REACHES.map((reach) => [reach, String(reach)]), "2");
byId("legend").append(...data.curves.map(legendButton));
byId("metric").addEventListener("change", drawChart);
byId("reach").addEventListener("change", drawChart);
byId("show-all").addEventListener("click", () => show(() => true));
byId("show-measured").addEventListener("click", () => show((_, curve) => !curve.published));
show((codec) => shown.has(codec));
