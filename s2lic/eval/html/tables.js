// The tables: BD-rates against a baseline, and every sample. A click on a column's head sorts by it, another turns it round.

// A column: its key and head, what of a row it sorts by, and what it shows of it.
const words = (key, head) => ({ key, head, word: true, value: (row) => row[key], cell: (row) => row[key] });
const figures = (key, head, digits) => ({ key, head, value: (row) => number(row[key]), cell: (row) => text(row[key], digits) });
const COLUMNS = [
  words("picture", "picture"),
  words("codec", "codec"),
  { ...figures("quality", "quality"), cell: (row) => String(row.quality) },
  figures("size", "bytes", 0),
  figures("bpp", "bpp", 4),
  figures("psnr", "PSNR dB", 2),
  figures("msssim", "MS-SSIM", 4),
  figures("msssim_db", "MS-SSIM dB", 2),
  figures("ssimulacra2", "SSIMULACRA2", 2),
  figures("encode_s", "encode s", 3),
  figures("decode_s", "decode s", 3),
  figures("encode_mib", "encode MiB", 0),
  figures("decode_mib", "decode MiB", 0),
];

// What has no value comes last, whichever way the column is sorted.
function compare(a, b, down) {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  const way = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return down ? -way : way;
}

function tableRow(columns, found) {
  const cells = columns.map((column) => {
    const cell = column.cell(found);
    return cell instanceof Node ? cell : element("td", column.word ? { class: "word" } : {}, cell);
  });
  return element("tr", found.strong ? { class: "strong" } : {}, ...cells);
}

// Fills the table, and returns what draws it anew; `rows` gives what is to be shown.
function sortable(table, columns, rows, first) {
  const order = { by: columns.find(({ key }) => key === first), down: false };
  const body = element("tbody");
  function draw() {
    const sorted = rows().sort((a, b) => compare(order.by.value(a), order.by.value(b), order.down));
    body.replaceChildren(...sorted.map((found) => tableRow(columns, found)));
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.key === order.by.key) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }
  const heads = columns.map((column) => {
    const button = element("button", { type: "button" }, column.head);
    button.addEventListener("click", () => {
      order.down = order.by === column && !order.down;
      order.by = column;
      draw();
    });
    return element("th", { scope: "col", "data-key": column.key, ...(column.word ? { class: "word" } : {}) }, button);
  });
  table.replaceChildren(element("thead", {}, element("tr", {}, ...heads)), body);
  draw();
  return draw;
}

// In brackets stands what does not count, as it is of a part of the interval; the notes tell which.
function figureColumn(metric, key, head, write) {
  const value = (row) => row[metric]?.[key] ?? null;
  const cell = (row) => {
    if (value(row) === null) return "–";
    return row[metric].reason ? element("td", { class: "quiet" }, `(${write(value(row))})`) : write(value(row));
  };
  return { key: `${metric} ${key}`, head, value, cell };
}

function bdNote(row) {
  return data.metrics.flatMap(({ metric, name, unit, low, high }) => {
    const found = row[metric];
    if (!found || (found.rate_percent === null && !row.strong)) return [];
    const interval = `${text(found.low, 2)} to ${text(found.high, 2)} ${unit}`;
    const part = found.rate_percent === null ? "" : `; in brackets over what both cover, ${interval}`;
    if (found.reason) return [`${name} not comparable: ${found.reason}${part}.`];
    return found.low === low && found.high === high ? [] : [`${name} over ${interval}.`];
  }).join(" ");
}

function bdRows() {
  const rows = new Map();
  for (const found of data.comparisons.filter(({ baseline }) => baseline === byId("bd-baseline").value)) {
    const published = data.curves.some(({ label, published }) => label === found.codec && published);
    const row = rows.get(found.codec) ?? { codec: found.codec, strong: !published };
    rows.set(found.codec, { ...row, [found.metric]: found });
  }
  const worth = (row) => row.strong || data.metrics.some(({ metric }) => row[metric] && row[metric].rate_percent !== null);
  return [...rows.values()].filter(worth).map((row) => ({ ...row, note: bdNote(row) }));
}

const bdColumns = [
  words("codec", "codec"),
  ...data.metrics.flatMap(({ metric, name, unit }) => [
    figureColumn(metric, "rate_percent", `rate, equal ${name}`, (value) => `${signed(value, 1)} %`),
    figureColumn(metric, "gain_db", `${name}, equal rate`, (value) => `${signed(value, 2)} ${unit}`),
  ]),
  { ...words("note", "notes"), cell: (row) => element("td", { class: "reason" }, row.note) },
];

function startBd() {
  const baselines = [...new Set(data.comparisons.map(({ baseline }) => baseline))];
  fillSelect(byId("bd-baseline"), baselines.map((name) => [name, name]), baselines[0]);
  byId("bd-baseline").addEventListener("change", sortable(byId("bd-table"), bdColumns, bdRows, `${data.metrics[0].metric} rate_percent`));
}

function samples() {
  const codec = byId("samples-codec").value;
  const name = byId("samples-name").value.toLowerCase();
  const found = data.samples.filter((row) => (codec === "" || row.codec === codec) && row.picture.toLowerCase().includes(name));
  byId("samples-count").textContent = `${found.length} of ${data.samples.length} rows`;
  return found;
}

function startSamples() {
  const codecs = [...new Set(data.samples.map(({ codec }) => codec))];
  fillSelect(byId("samples-codec"), [["", "all"], ...codecs.map((codec) => [codec, codec])], "");
  const draw = sortable(byId("samples-table"), COLUMNS, samples, "picture");
  byId("samples-codec").addEventListener("change", draw);
  byId("samples-name").addEventListener("input", draw);
}

if (data.comparisons.length) startBd();
else byId("bd").remove();
startSamples();
