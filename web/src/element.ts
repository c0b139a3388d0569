// The element <s2lic-img src="picture.s2lic" alt="...">, used like <img>.

import { InputMissingError } from "./errors.ts";
import { decodeWithFacts } from "./s2lic.ts";

const STYLE = `
  :host { display: inline-block; max-width: 100%; }
  :host([hidden]) { display: none; }
  canvas { display: block; max-width: 100%; height: auto; }
  p { margin: 0; padding: 0.5em; font: inherit; }
`;

/** Shows a picture. Fires "load", or "error" with the error in `detail`; shows the text of `alt` until then. */
export class S2licImage extends HTMLElement {
  static observedAttributes = ["src", "alt"];
  private shown = "";

  constructor() {
    super();
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [style];
  }

  connectedCallback(): void {
    void this.update();
  }

  attributeChangedCallback(): void {
    if (this.isConnected) void this.update();
  }

  private async update(): Promise<void> {
    const source = this.getAttribute("src") ?? "", alt = this.getAttribute("alt") ?? "";
    this.setAttribute("role", alt ? "img" : "presentation");
    this.ariaLabel = alt;
    if (!source || source === this.shown) return;
    this.shown = source;
    this.tell(alt);
    try {
      const { image } = await decodeWithFacts(await fetched(source));
      if (this.shown === source) this.paint(image);
    } catch (error) {
      if (this.shown === source) this.fail(error as Error, alt);
    }
  }

  private paint(image: ImageData): void {
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.shadowRoot?.replaceChildren(canvas);
    this.dispatchEvent(new CustomEvent("load"));
  }

  private fail(error: Error, alt: string): void {
    this.tell(`${alt ? `${alt}: ` : ""}${error.name}: ${error.message}`);
    this.dispatchEvent(new CustomEvent("error", { detail: error }));
  }

  private tell(text: string): void {
    const line = document.createElement("p");
    line.textContent = text;
    this.shadowRoot?.replaceChildren(line);
  }
}

async function fetched(source: string): Promise<ArrayBuffer> {
  const response = await fetch(source).catch(() => null);
  if (!response?.ok) throw new InputMissingError(`${source} cannot be fetched`);
  return response.arrayBuffer();
}
