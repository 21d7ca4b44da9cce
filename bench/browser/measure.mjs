/**
 * rnn-native beside onnxruntime-web in Chromium, and the sizes of both and of others.
 *
 *     python js/build.py build/js
 *     python -P bench/browser/models.py build/bench-browser/models
 *     cd build/bench-browser && npm install onnxruntime-web@1.30.0 playwright-core@1.65.1 \
 *         @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 @jitsi/rnnoise-wasm@0.2.1
 *     node bench/browser/measure.mjs build/js/package build/bench-browser
 */
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const [packageFolder, folder] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(folder, "package.json"))("playwright-core");
const { serve } = await import(pathToFileURL(join(here, "../../tests/web/server.mjs")));
const modules = join(folder, "node_modules");

cpSync(packageFolder, join(folder, "package"), { recursive: true });
cpSync(join(modules, "onnxruntime-web/dist"), join(folder, "ort"), {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || /ort\.wasm\.min\.mjs$|ort-wasm-simd-threaded\.(mjs|wasm)$/.test(path),
});
cpSync(join(here, "page.js"), join(folder, "page.js"));

const scripts = readdirSync(packageFolder).filter((name) => name.endsWith(".js"));
const SIZES = {
  "rnn-native, all cells, with SIMD": ["simd.wasm", ...scripts].map((name) => join(packageFolder, name)),
  "onnxruntime-web": ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"].map((name) =>
    join(modules, "onnxruntime-web/dist", name)),
  "tfjs, with its WebAssembly": [
    join(modules, "@tensorflow/tfjs/dist/tf.min.js"),
    join(modules, "@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js"),
    join(modules, "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm"),
  ],
  "rnnoise-wasm, one network": ["rnnoise.js", "rnnoise.wasm"].map((name) => join(modules, "@jitsi/rnnoise-wasm/dist", name)),
};

console.log("| bytes | as it is | gzip | brotli |\n|---|---:|---:|---:|");
for (const [who, files] of Object.entries(SIZES)) {
  const parts = files.map((file) => readFileSync(file));
  const sum = (of) => parts.reduce((total, part) => total + of(part).length, 0).toLocaleString("en");
  console.log(`| ${who} | ${sum((part) => part)} | ${sum(gzipSync)} | ${sum(brotliCompressSync)} |`);
}

const server = await serve(folder);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  console.log(`\nChromium ${browser.version()}, one thread\n`);
  console.log("| | first result, ms | | a frame, µs | | | times as fast | largest difference |");
  console.log("|---|---:|---:|---:|---:|---:|---:|---:|");
  console.log("| | rnn-native | onnxruntime-web | rnn-native | its int8 | onnxruntime-web | float32, int8 | of float32 |");
  for (const name of ["silero", "nsnet2"]) {
    const page = await browser.newPage();
    await page.goto(`${server.url}page.js`);
    const { found, difference } = await page.evaluate(
      async ([url, of]) => (await import(url)).measure(of, 15, 200),
      [`${server.url}page.js`, name],
    );
    const { "rnn-native": ours, "rnn-native int8": int8, "onnxruntime-web": theirs } = found;
    const times = [ours, int8].map(({ micros }) => (theirs.micros / micros).toFixed(2)).join(", ");
    console.log(
      `| ${name} | ${ours.loaded.toFixed(0)} | ${theirs.loaded.toFixed(0)} | ${ours.micros.toFixed(1)} | ` +
        `${int8.micros.toFixed(1)} | ${theirs.micros.toFixed(1)} | ${times} | ${difference.toExponential(1)} |`,
    );
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
