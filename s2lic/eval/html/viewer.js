// Two versions of a picture on one another, divided by a line that the slider moves; and the notes at the end.

const view = () => data.views[byId("look-picture").value];

function showSide(side) {
  const version = view().versions[byId(`look-${side}`).value];
  const image = byId(`image-${side}`);
  image.src = version.source;
  image.alt = `${view().picture}, ${version.caption}`;
  image.width = view().width * Number(byId("look-zoom").value);
  byId(`caption-${side}`).textContent = `${side}: ${version.caption}`;
}

function showBoth() {
  showSide("left");
  showSide("right");
}

// Versions keep their places from picture to picture where there are as many.
function choosePicture() {
  const versions = view().versions.map(({ name }, i) => [i, name]);
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

function startViewer() {
  byId("look-note").textContent = data.look;
  fillSelect(byId("look-picture"), data.views.map(({ picture }, i) => [i, picture]), "0");
  byId("look-picture").addEventListener("change", choosePicture);
  for (const id of ["look-left", "look-right", "look-zoom"]) byId(id).addEventListener("change", showBoth);
  byId("slider").addEventListener("input", divide);
  choosePicture();
  divide();
}

if (data.views.length) startViewer();
else byId("look").remove();

byId("failures").append(...data.failures.map((words) => element("li", {}, words)));
byId("sources").append(
  ...data.curves.flatMap(({ label, source }) => [element("dt", {}, label), element("dd", {}, source)]),
);
