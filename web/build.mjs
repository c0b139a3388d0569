// `node build.mjs [FOLDER]` builds the page and its module; `node build.mjs --tests` builds the tests for node.

import { build } from "esbuild";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const common = { bundle: true, format: "esm", target: "es2022", keepNames: true, absWorkingDir: here(".") };

async function buildTests() {
  const entryPoints = readdirSync(here("tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: entryPoints.map((name) => `tests/${name}`),
    outdir: "build/tests",
    outExtension: { ".js": ".mjs" },
    platform: "browser",
    external: ["node:*", "onnxruntime-web"],
  });
}

async function buildPage(folder) {
  mkdirSync(folder, { recursive: true });
  await build({
    ...common,
    entryPoints: ["src/s2lic.ts", "src/worker.ts", "src/page/page.ts", "src/page/page.css"],
    entryNames: "[name]",
    outdir: folder,
    platform: "browser",
    conditions: ["onnxruntime-web-use-extern-wasm"],
    splitting: true,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "linked",
  });
  cpSync(here("src/page/index.html"), `${folder}/index.html`);
  for (const suffix of ["mjs", "wasm"]) {
    const name = `ort-wasm-simd-threaded.${suffix}`;
    cpSync(here(`node_modules/onnxruntime-web/dist/${name}`), `${folder}/${name}`);
  }
}

const [word = "dist"] = process.argv.slice(2);
await (word === "--tests" ? buildTests() : buildPage(word));
