// The tables: BD-rates by baseline and metric, and every sample, sorted by a click on a column's head.

const COLUMNS = [
  { key: "picture", head: "picture", word: true },
  { key: "codec", head: "codec", word: true },
  { key: "quality", head: "quality", digits: 2 },
  { key: "size", head: "bytes", digits: 0 },
  { key: "bpp", head: "bpp", digits: 4 },
  { key: "psnr", head: "PSNR dB", digits: 2 },
  { key: "msssim", head: "MS-SSIM", digits: 4 },
  { key: "msssim_db", head: "MS-SSIM dB", digits: 2 },
  { key: "encode_s", head: "encode s", digits: 3 },
  { key: "decode_s", head: "decode s", digits: 3 },
  { key: "encode_mib", head: "encode MiB", digits: 0 },
  { key: "decode_mib", head: "decode MiB", digits: 0 },
];
const order = { key: null, down: false };

function row(cells, name = "td") {
  return element("tr", {}, ...cells.map((cell) => (cell instanceof Node ? cell : element(name, {}, cell))));
}

function bdCells(found) {
  if (!found) return ["–", "–"];
  const digits = found.reason ? 2 : 1;
  const interval = found.rate_percent === null ? "–" : `${text(found.low, digits)} to ${text(found.high, digits)}`;
  const gain = found.gain_db === null ? "" : ` (${signed(found.gain_db, 2)} dB)`;
  const figure = found.rate_percent === null ? "" : `${signed(found.rate_percent, 1)} %${gain}`;
  if (!found.reason) return [figure, interval];
  const common = figure && `. Over what both cover: ${figure}`;
  return [element("td", { class: "reason" }, `not comparable: ${found.reason}${common}`), interval];
}

function drawBd() {
  const heads = ["codec", "against", ...data.metrics.flatMap(({ label }) => [label, "over dB"])];
  const pairs = new Map(data.comparisons.map((found) => [`${found.codec} ${found.baseline}`, found]));
  const rows = [...pairs.values()].map(({ codec, baseline }) => {
    const mine = data.comparisons.filter((found) => found.codec === codec && found.baseline === baseline);
    const cells = data.metrics.flatMap(({ metric }) => bdCells(mine.find((found) => found.metric === metric)));
    return row([element("th", { scope: "row" }, codec), element("td", { class: "word" }, baseline), ...cells]);
  });
  const head = row(heads.map((name) => element("th", { scope: "col" }, name)));
  byId("bd-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

// What has no value comes last, whichever way the column is sorted.
function compare(a, b) {
  const [x, y] = [number(a[order.key]), number(b[order.key])];
  if (x === y) return 0;
  if (x === null || y === null) return x === null ? 1 : -1;
  const way = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
  return order.down ? -way : way;
}

function sampleRow(sample) {
  const cell = ({ key, word, digits }) =>
    word ? element("td", { class: "word" }, sample[key]) : element("td", {}, text(sample[key], digits));
  return row(COLUMNS.map(cell));
}

function drawSamples() {
  const codec = byId("samples-codec").value;
  const name = byId("samples-name").value.toLowerCase();
  const found = data.samples.filter(
    (sample) => (codec === "" || sample.codec === codec) && sample.picture.toLowerCase().includes(name),
  );
  byId("samples-count").textContent = `${found.length} of ${data.samples.length} rows`;
  byId("samples-table").tBodies[0].replaceChildren(...found.sort(compare).map(sampleRow));
}

function sortBy(key) {
  order.down = order.key === key && !order.down;
  order.key = key;
  for (const head of byId("samples-table").tHead.rows[0].cells) {
    if (head.dataset.key === key) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  drawSamples();
}

function sampleHead({ key, head }) {
  const button = element("button", { type: "button" }, head);
  button.addEventListener("click", () => sortBy(key));
  return element("th", { scope: "col", "data-key": key }, button);
}

const codecs = [...new Set(data.samples.map((sample) => sample.codec))];
fillSelect(byId("samples-codec"), [["", "all"], ...codecs.map((codec) => [codec, codec])], "");
byId("samples-table").append(element("thead", {}, row(COLUMNS.map(sampleHead))), element("tbody"));
byId("samples-codec").addEventListener("change", drawSamples);
byId("samples-name").addEventListener("input", drawSamples);
sortBy("picture");
drawBd();
