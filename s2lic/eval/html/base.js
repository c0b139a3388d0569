// What the parts of the page share: the data, elements, and numbers in words.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
}

// JSON has no infinity: lossless pictures have "inf" dB.
const number = (value) => (value === "inf" ? Infinity : value);

function text(value, digits) {
  const found = number(value);
  if (found === null || found === undefined) return "–";
  return found === Infinity ? "∞" : found.toFixed(digits);
}

const signed = (value, digits) => (value > 0 ? "+" : "") + text(value, digits);

byId("facts").textContent = data.facts;
byId("command").textContent = data.command;
