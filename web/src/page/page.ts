// The page: files that are dropped or chosen become cards with a picture, its figures, and a slider.

import { type Decoded, decodeWithFacts } from "../s2lic.ts";

interface Card {
  stem: string;
  stage: HTMLElement;
  width: number;
  height: number;
}

const cards: Card[] = [];
const originals: { stem: string; bitmap: ImageBitmap }[] = [];

function element<K extends keyof HTMLElementTagNameMap>(
  name: K, className = "", text = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "").toLowerCase();
}

async function take(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    if (file.type.startsWith("image/")) await addOriginal(file);
    else await addPicture(file);
  }
}

async function addPicture(file: File): Promise<void> {
  const article = element("article"), note = element("p", "note", "Decoding …");
  article.append(element("h2", "", file.name), note);
  document.getElementById("pictures")?.prepend(article);
  try {
    const found = await decodeWithFacts(await file.arrayBuffer());
    note.remove();
    show(article, file, found);
  } catch (error) {
    note.textContent = `${(error as Error).name}: ${(error as Error).message}`;
    note.classList.add("wrong");
  }
}

function show(article: HTMLElement, file: File, { image, facts }: Decoded): void {
  const stage = element("div", "stage"), canvas = element("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  canvas.role = "img";
  canvas.ariaLabel = file.name;
  stage.append(canvas);
  const bits = (8 * file.size) / (image.width * image.height);
  const rows = {
    Size: `${facts.width} × ${facts.height}`, File: `${file.size.toLocaleString("en")} bytes`,
    Rate: `${bits.toFixed(3)} bits per pixel`, Quality: facts.quality.toFixed(facts.quality % 1 ? 2 : 0),
    Decoded: `in ${(facts.decodeMs / 1000).toFixed(2)} s, ${facts.threads} thread${facts.threads > 1 ? "s" : ""}`,
    Model: facts.modelId,
  };
  article.append(stage, list(rows));
  const card = { stem: stemOf(file.name), stage, width: image.width, height: image.height };
  cards.push(card);
  const original = originals.findLast(({ stem, bitmap }) => stem === card.stem && fits(card, bitmap));
  if (original) compare(card, original.bitmap);
}

function list(rows: Record<string, string>): HTMLElement {
  const made = element("dl");
  for (const [term, value] of Object.entries(rows)) {
    const pair = element("div");
    pair.append(element("dt", "", term), element("dd", "", value));
    made.append(pair);
  }
  return made;
}

/** An original goes to the card of its name, else to the newest card of its size. */
async function addOriginal(file: File): Promise<void> {
  const bitmap = await createImageBitmap(file), stem = stemOf(file.name);
  originals.push({ stem, bitmap });
  const fitting = cards.filter((card) => fits(card, bitmap));
  const card = fitting.findLast((one) => one.stem === stem) ?? fitting.at(-1);
  if (card) compare(card, bitmap);
}

function fits(card: Card, bitmap: ImageBitmap): boolean {
  return card.width === bitmap.width && card.height === bitmap.height;
}

function compare({ stage, width, height }: Card, bitmap: ImageBitmap): void {
  stage.querySelector(".original")?.remove();
  const canvas = element("canvas", "original");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  canvas.ariaHidden = "true";
  stage.append(canvas);
  if (stage.classList.contains("compared")) return;
  stage.classList.add("compared");
  stage.after(slider(stage));
}

function slider(stage: HTMLElement): HTMLElement {
  const row = element("label", "slider"), input = element("input");
  input.type = "range";
  input.value = "50";
  input.ariaLabel = "Dividing line between original and s2lic";
  const move = () => stage.style.setProperty("--split", `${input.value}%`);
  input.addEventListener("input", move);
  move();
  row.append(element("span", "", "original"), input, element("span", "", "s2lic"));
  return row;
}

const drop = document.getElementById("drop") as HTMLElement;
const chooser = document.getElementById("files") as HTMLInputElement;
chooser.addEventListener("change", () => {
  void take(Array.from(chooser.files ?? []));
  chooser.value = ""; // so that the same file can be chosen again
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
  });
}
document.addEventListener("drop", (event) => void take(Array.from(event.dataTransfer?.files ?? [])));
