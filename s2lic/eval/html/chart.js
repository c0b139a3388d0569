// The curves: an SVG drawn anew whenever a choice changes, and a legend of buttons that toggle.

const LABEL_STEP = 14;
const LABELS = 170;
const NARROW = 560;
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

// As wide as the column is, so that words keep their size on any screen; where it is narrow the legend alone names curves.
function makeFrame() {
  const width = Math.max(byId("chart").clientWidth, 280);
  const height = Math.min(Math.max(0.55 * width, 300), 600);
  const named = width >= NARROW;
  return { width, height, named, left: 56, right: width - (named ? LABELS : 14), top: 14, bottom: height - 46 };
}

function mark(curve, x, y) {
  return drawn("path", { class: "mark", d: MARKS[curve.marker], transform: `translate(${x} ${y})`, "stroke-dasharray": "none" });
}

// The level of a point by the metric chosen, or null where it has none that can be drawn.
function level(point) {
  const value = number(point[byId("metric").value]);
  return Number.isFinite(value) ? value : null;
}

function visiblePoints(curve, reach) {
  return curve.points.filter((point) => point.bpp <= reach && level(point) !== null);
}

// [bpp, level] along the curve, as far as the right edge where it goes beyond.
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
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function axes(scale, frame) {
  const group = drawn("g");
  for (const value of ticks(scale.low, scale.high, frame.height / 60)) {
    const y = scale.y(value);
    group.append(drawn("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y, y2: y }));
    group.append(drawn("text", { x: frame.left - 8, y: y + 4, "text-anchor": "end" }, String(+value.toPrecision(6))));
  }
  for (const value of ticks(0, scale.reach, (frame.right - frame.left) / 90)) {
    const x = scale.x(value);
    group.append(drawn("line", { class: "grid", x1: x, x2: x, y1: frame.top, y2: frame.bottom }));
    group.append(drawn("text", { x, y: frame.bottom + 18, "text-anchor": "middle" }, String(+value.toPrecision(6))));
  }
  const middle = (frame.left + frame.right) / 2;
  group.append(drawn("text", { x: middle, y: frame.height - 8, "text-anchor": "middle" }, "bits per pixel"));
  const name = byId("metric").selectedOptions[0].textContent;
  const turn = `translate(14 ${(frame.top + frame.bottom) / 2}) rotate(-90)`;
  group.append(drawn("text", { transform: turn, "text-anchor": "middle" }, name));
  return group;
}

function makeScale(curves, reach, frame) {
  const levels = curves.flatMap((curve) => outline(curve, reach).map(([, db]) => db));
  const low = levels.length ? Math.floor(Math.min(...levels)) : 0;
  const high = levels.length ? Math.max(low + 1, Math.ceil(Math.max(...levels))) : 1;
  return {
    reach, low, high,
    x: (bpp) => frame.left + (bpp / reach) * (frame.right - frame.left),
    y: (db) => frame.bottom - ((db - low) / (high - low)) * (frame.bottom - frame.top),
  };
}

function pointWords(curve, point) {
  const quality = point.quality === null ? "" : `, quality ${point.quality}`;
  return `${curve.label}${quality}: ${text(point.bpp, 3)} bpp, ${text(level(point), 2)} ${data.metrics.find(({ key }) => key === byId("metric").value).unit}`;
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

// Heights from the top down, each at least a step below the one before and none below the frame.
function spread(heights, bottom) {
  const placed = [...heights];
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i], placed[i - 1] + LABEL_STEP);
  for (let i = placed.length - 1, last = bottom; i >= 0; i--, last -= LABEL_STEP) placed[i] = Math.min(placed[i], last);
  return placed;
}

// A label beside where each curve ends or leaves.
function labels(curves, scale, frame) {
  const ends = curves.map((curve) => ({ curve, end: outline(curve, scale.reach).at(-1) })).filter((row) => row.end);
  const rows = ends.map(({ curve, end: [bpp, db] }) => ({ curve, x: scale.x(bpp), y: scale.y(db) })).sort((a, b) => a.y - b.y);
  const heights = spread(rows.map(({ y }) => y), frame.bottom);
  return rows.map(({ curve, x, y }, i) => {
    const line = drawn("line", { class: "grid", x1: x + 6, y1: y, x2: frame.right + 6, y2: heights[i], "stroke-dasharray": "1 3" });
    const place = { x: frame.right + 10, y: heights[i] + 4, "data-label": curve.codec };
    return drawn("g", {}, line, drawn("text", curve.published ? place : { ...place, class: "strong" }, curve.label));
  });
}

function drawChart() {
  const reach = Number(byId("reach").value);
  const curves = data.curves.filter((curve) => shown.has(curve.codec));
  const frame = makeFrame();
  const scale = makeScale(curves, reach, frame);
  const words = `Curves of ${curves.map((curve) => curve.label).join(", ")}`;
  const svg = drawn("svg", { viewBox: `0 0 ${frame.width} ${frame.height}`, role: "img", "aria-label": words });
  const names = frame.named ? labels(curves, scale, frame) : [];
  svg.append(axes(scale, frame), ...names, ...curves.map((curve) => drawCurve(curve, scale)));
  byId("chart").replaceChildren(svg);
}

function legendButton(curve) {
  const swatch = drawn("svg", { viewBox: "0 0 30 12", "aria-hidden": "true", class: curve.published ? "published" : "measured" });
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
window.addEventListener("resize", drawChart);
show((codec) => shown.has(codec));
