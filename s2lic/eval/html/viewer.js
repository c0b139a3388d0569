// Two versions of a picture on one another, divided by a line that the slider or a finger moves; and the notes at the end.

const view = () => data.views[byId("look-picture").value];

function showSide(side) {
  const version = view().versions[byId(`look-${side}`).value];
  byId(`image-${side}`).src = version.source;
  byId(`image-${side}`).alt = `${view().picture}, ${version.caption}`;
  byId(`caption-${side}`).textContent = version.caption;
}

// "fit" fills the column, as far as two screen pixels a pixel; a number is that many.
function zoom() {
  const wanted = byId("look-zoom").value;
  byId("stage").style.width = wanted === "fit" ? `min(100%, ${2 * view().width}px)` : `${wanted * view().width}px`;
}

function showBoth() {
  showSide("left");
  showSide("right");
  zoom();
}

// Versions keep their places from picture to picture where there are as many.
function choosePicture() {
  const versions = view().versions.map(({ caption }, i) => [i, caption]);
  for (const [side, first] of [["left", 0], ["right", 1]]) {
    const before = Number(byId(`look-${side}`).value || first);
    fillSelect(byId(`look-${side}`), versions, String(Math.min(before, versions.length - 1)));
  }
  showBoth();
}

function divide() {
  byId("stage").style.setProperty("--at", `${byId("slider").value}%`);
  byId("slider").setAttribute("aria-valuetext", `${byId("slider").value} percent show the left picture`);
}

function drag(event) {
  if (!event.buttons) return;
  const { left, width } = byId("stage").getBoundingClientRect();
  byId("slider").value = (100 * (event.clientX - left)) / width;
  divide();
}

function startViewer() {
  byId("look-note").textContent = data.look;
  fillSelect(byId("look-picture"), data.views.map(({ picture }, i) => [i, picture]), "0");
  byId("look-picture").addEventListener("change", choosePicture);
  for (const id of ["look-left", "look-right", "look-zoom"]) byId(id).addEventListener("change", showBoth);
  byId("slider").addEventListener("input", divide);
  for (const name of ["pointerdown", "pointermove"]) byId("stage").addEventListener(name, drag);
  choosePicture();
  divide();
}

if (data.views.length) startViewer();
else byId("look").remove();
for (const link of document.querySelectorAll("nav a")) if (!document.querySelector(link.hash)) link.remove();

byId("failures").append(...data.failures.map((words) => element("li", {}, words)));
byId("sources").append(
  ...data.curves.flatMap(({ label, source }) => [element("dt", {}, label), element("dd", {}, source)]),
);
