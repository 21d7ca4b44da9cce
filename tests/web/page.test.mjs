/** The page in Chromium: its numbers, its drops and errors, keyboard, offline, widths and themes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";
import { serve } from "./server.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const { PAGE, OUT, PYTHON, TESTS = HERE } = process.env;
mkdirSync(OUT, { recursive: true });

let browser;
let server;
const troubles = [];

before(async () => {
  server = await serve(PAGE);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"],
  });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** A page that is ready; what it complains of is a failure. */
async function opened({ width = 1280, height = 900, colorScheme = "light", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, permissions: ["microphone"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !/^(blob|data):/.test(url)) troubles.push(`asked for ${url}`);
  });
  await page.goto(server.url);
  await page.waitForFunction(() => document.getElementById("status").textContent.startsWith("Ready"));
  return page;
}

const status = (page) => page.textContent("#status");

async function sampleShown(page) {
  await page.click("#sample");
  await page.waitForFunction(() => /s of sound in/.test(document.getElementById("status").textContent), null, { timeout: 20_000 });
}

test("a recording is denoised in the worklet, whole, with the bits of Python's baseline kernels", async () => {
  const page = await opened();
  await sampleShown(page);
  assert.match(await status(page), / 0 of \d+ pieces missed/);
  const shown = await page.evaluate(() => {
    const { samples, clean, traces } = shownNow();
    const plain = (array) => Array.from(new Uint32Array(array.slice().buffer));
    return {
      length: [samples.length, clean.length],
      samples: plain(samples),
      clean: plain(clean),
      ...Object.fromEntries(["before", "gains", "speech", "units"].map((name) => [name, plain(traces[name])])),
    };
  });
  assert.equal(shown.length[0], shown.length[1]);
  for (const name of ["samples", "clean", "before", "gains", "speech", "units"]) {
    writeFileSync(join(OUT, `${name}.f32`), new Uint32Array(shown[name]));
  }
  const done = spawnSync(PYTHON, ["-P", join(TESTS, "bits.py"), OUT, join(PAGE, "models")], {
    encoding: "utf8",
    env: { ...process.env, RNN_NATIVE_ISA: "baseline" },
  });
  assert.equal(done.status, 0, done.stdout + done.stderr);

  // The sound is cleaner: less of it where nobody speaks, as much where somebody does.
  const power = (name, wanted) => {
    const sound = floats(name);
    const speaking = floats("speech");
    let sum = 0;
    let count = 0;
    for (let i = 0; i < speaking.length; ++i) {
      if (wanted(speaking[i])) {
        for (const value of sound.subarray(160 * i, 160 * (i + 1))) sum += value * value;
        count += 160;
      }
    }
    return 10 * Math.log10(sum / count);
  };
  const quiet = (p) => p < 0.1;
  const spoken = (p) => p > 0.9;
  assert.ok(power("clean", quiet) < power("samples", quiet) - 6, "noise alone is not 6 dB less");
  assert.ok(Math.abs(power("clean", spoken) - power("samples", spoken)) < 3, "speech is not as loud");
  await page.context().close();
});

test("the worklet's sound is that of the denoiser called frame by frame, and is what is downloaded", async () => {
  const page = await opened();
  await sampleShown(page);
  const bad = await page.evaluate(async () => {
    const { load } = await import("./rnn-native/index.js");
    const { Denoiser } = await import("./denoiser.js");
    const { samples, clean } = shownNow();
    const denoiser = new Denoiser(await load("models/denoiser.safetensors"));
    const late = 160; // of the overlap
    const padded = new Float32Array(160 * Math.ceil((samples.length + late) / 160));
    padded.set(samples);
    const direct = new Float32Array(padded.length);
    for (let i = 0; i < padded.length; i += 160) {
      denoiser.frame(padded.subarray(i, i + 160), direct.subarray(i, i + 160));
    }
    return clean.reduce((sum, value, i) => sum + !Object.is(value, direct[i + late]), 0);
  });
  assert.equal(bad, 0, "samples differ");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const wav = readFileSync(await download.path());
  assert.equal(wav.toString("latin1", 0, 4), "RIFF");
  const length = await page.evaluate(() => shownNow().clean.length);
  assert.equal(wav.length, 44 + 2 * length);
  await page.context().close();
});

test("the theme is switched by hand, and curves have its colours", async () => {
  const page = await opened({ width: 360 });
  await sampleShown(page);
  const seen = () =>
    page.evaluate(() => {
      const { width, height } = document.getElementById("speech");
      const pixels = document.getElementById("speech").getContext("2d").getImageData(0, 0, width, height).data;
      const colours = new Set();
      for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] === 255) colours.add(pixels.slice(i, i + 3).join());
      return { back: getComputedStyle(document.body).backgroundColor, colours: [...colours] };
    });
  const light = await seen();
  await page.selectOption("#theme", "dark");
  const dark = await seen();
  assert.ok(light.colours.includes("179,71,27"), "the curve in light");
  assert.ok(dark.colours.includes("255,157,107"), "the curve in dark");
  assert.notEqual(light.back, dark.back);
  const edges = await page.evaluate(() =>
    [...document.querySelectorAll("thead th:nth-child(3)")].map((cell) => cell.getBoundingClientRect().right),
  );
  assert.ok(edges[0] <= 360, "the real-time factor is in sight on a phone");
  await page.context().close();
});

function floats(name) {
  const bytes = readFileSync(join(OUT, `${name}.f32`));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

test("the microphone is heard live, and stops", async () => {
  const page = await opened();
  await page.click("#microphone");
  await page.waitForFunction(() => (shownNow()?.traces.count ?? 0) > 150);
  assert.match(await status(page), /Listening: speech \d+ %/);
  assert.equal(await page.getAttribute("#microphone", "aria-pressed"), "true");
  await page.click("#microphone");
  await page.waitForFunction(() => document.getElementById("microphone").getAttribute("aria-pressed") === "false");
  await page.context().close();
});

async function drop(page, name, bytes) {
  const data = await page.evaluateHandle(
    ([file, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(content)], file));
      return transfer;
    },
    [name, [...bytes]],
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
}

test("dropped files: a model is described, broken ones are errors in words", async () => {
  const page = await opened();
  await drop(page, "broken.safetensors", Buffer.alloc(64, 1));
  await page.waitForFunction(() => document.getElementById("status").classList.contains("error"));
  assert.match(await status(page), /broken\.safetensors: .*no \.safetensors file that describes its layers/);
  await drop(page, "broken.wav", Buffer.alloc(64, 1));
  await page.waitForFunction(() => /broken\.wav/.test(document.getElementById("status").textContent));
  assert.match(await status(page), /expected a sound file/);
  await drop(page, "mine.safetensors", readFileSync(join(PAGE, "models/detector.safetensors")));
  await page.waitForFunction(() => /was loaded/.test(document.getElementById("status").textContent));
  assert.match(await page.textContent("#about"), /Takes.*576.*in the place of Silero/s);
  await sampleShown(page);
  await page.context().close();
});

test("by keyboard alone, with a focus that is seen", async () => {
  const page = await opened();
  const reached = [];
  for (let i = 0; i < 7; ++i) {
    await page.keyboard.press("Tab");
    reached.push(
      await page.evaluate(() => {
        const { activeElement } = document;
        return [activeElement.id || activeElement.className, getComputedStyle(activeElement).outlineStyle];
      }),
    );
  }
  const ids = reached.map(([id]) => id);
  for (const id of ["skip", "theme", "sample", "open", "microphone", "aloud"]) assert.ok(ids.includes(id), `${id} in ${ids}`);
  for (const [id, outline] of reached) assert.notEqual(outline, "none", `no outline of ${id}`);
  await page.focus("#sample");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /s of sound in/.test(document.getElementById("status").textContent));
  await page.context().close();
});

test("it works offline once it was open", async () => {
  const page = await opened();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  server.online = false;
  try {
    await page.reload();
    await page.waitForFunction(() => document.getElementById("status").textContent.startsWith("Ready"));
    await sampleShown(page);
  } finally {
    server.online = true;
  }
  await page.context().close();
});

for (const [width, colorScheme] of [[360, "light"], [360, "dark"], [1280, "light"], [1280, "dark"]]) {
  test(`at a width of ${width}, ${colorScheme}: nothing is cut off`, async () => {
    const page = await opened({ width, height: width === 360 ? 740 : 900, colorScheme });
    await sampleShown(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `the page is ${wide} wide`);
    await page.screenshot({ path: join(OUT, `page-${width}-${colorScheme}.png`), fullPage: true });
    await page.context().close();
  });
}

test("nothing was complained of, and nothing asked for elsewhere", () => {
  assert.deepEqual(troubles, []);
});
