/** The page: buttons, drops and what is shown. */
import { hasSimd, load } from "./rnn-native/index.js";
import { BINS } from "./fourier.js";
import { describe, rowOf } from "./model_card.js";
import { drawSpectrum, drawSpeech, drawUnits, drawWave } from "./pictures.js";
import { decode, denoise, listen, wavOf } from "./studio.js";

const NAMES = { denoiser: "NSNet2, noise", detector: "Silero v6, speech" };
const WIDTHS = { [BINS]: "denoiser", 576: "detector" };
const at = (id) => document.getElementById(id);

const bytes = {}; // of the models in use, by what they do
let shown = null; // { samples, clean, traces }
let live = null;

function say(text, isError = false) {
  at("status").textContent = text;
  at("status").classList.toggle("error", isError);
}

/** Runs what a button asks for, and says what went wrong. */
async function attempt(doing, work) {
  try {
    await work();
  } catch (error) {
    const denied = error.name === "NotAllowedError" || error.name === "NotFoundError";
    say(denied ? "There is no microphone that this page may use: allow it, or open a file." : `${doing}: ${error.message}`, true);
  }
}

function draw() {
  if (!shown) return;
  const { samples, clean, traces } = shown;
  drawWave(at("wave"), [{ samples, name: "--before" }, { samples: clean, name: "--after" }]);
  drawSpectrum(at("before"), traces, false);
  drawSpectrum(at("after"), traces, true);
  drawSpeech(at("speech"), traces);
  drawUnits(at("units"), traces);
}

async function show(name, fileBytes) {
  await stopLive();
  let samples;
  try {
    samples = await decode(fileBytes);
  } catch {
    throw new Error("expected a sound file that this browser reads, such as a WAV");
  }
  if (samples.length < 3200) throw new Error(`expected at least 0.2 s of sound, got ${(samples.length / 16000).toFixed(2)} s`);
  if (samples.length > 600 * 16000) throw new Error("expected at most ten minutes of sound");
  say(`Cleaning ${name}…`);
  const begin = performance.now();
  const { clean, traces } = await denoise(samples, bytes);
  const seconds = (performance.now() - begin) / 1000;
  const length = samples.length / 16000;
  shown = { samples, clean, traces };
  draw();
  at("listen").hidden = false;
  URL.revokeObjectURL(at("download").href);
  at("download").href = URL.createObjectURL(wavOf(clean));
  const spoken = traces.speech.reduce((sum, p) => sum + (p >= 0.5), 0) / Math.max(1, traces.count);
  say(`${name}: ${length.toFixed(1)} s of sound in ${seconds.toFixed(2)} s, ` +
    `speech in ${Math.round(100 * spoken)} % of it, ${traces.missed} of ${traces.quanta} pieces missed.`);
}

async function stopLive() {
  if (!live) return;
  const ending = live;
  live = null;
  at("microphone").setAttribute("aria-pressed", "false");
  at("microphone").textContent = "Use the microphone";
  await ending.stop();
}

/** The last twelve seconds of traces, new ones at the end. */
function append(old, part) {
  const keep = 1200;
  if (!old) return { ...part };
  const joined = { ...part, count: Math.min(keep, old.count + part.count) };
  for (const name of ["before", "gains", "speech", "units"]) {
    const width = part.count ? part[name].length / part.count : old[name].length / old.count;
    const whole = new Float32Array(old[name].length + part[name].length);
    whole.set(old[name]);
    whole.set(part[name], old[name].length);
    joined[name] = whole.slice(Math.max(0, whole.length - joined.count * width));
  }
  return joined;
}

async function startLive() {
  const every = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 33;
  let traces = null;
  let said = -Infinity; // once a second, for those who hear the page read
  const heard = (part) => {
    if (part.before === undefined || (!traces && part.count === 0)) return;
    traces = append(traces, part);
    shown = { samples: null, clean: null, traces };
    requestAnimationFrame(draw);
    if (performance.now() - said < 1000) return;
    said = performance.now();
    const now = traces.speech.at(-1);
    say(`Listening: speech ${Math.round(100 * now)} %, ${part.missed} of ${part.quanta} pieces missed.`);
  };
  live = await listen(bytes, { heard, aloud: at("aloud").checked, every });
  at("listen").hidden = true;
  at("microphone").setAttribute("aria-pressed", "true");
  at("microphone").textContent = "Stop";
}

async function useModel(name, fileBytes) {
  const model = await load(fileBytes);
  const kind = model.streamable && model.inputs.length === 1 ? WIDTHS[model.inputs[0].features] : undefined;
  const fits = kind === "denoiser" ? model.outputs[0].features === BINS : kind === "detector" && model.states.length > 0;
  if (fits) bytes[kind] = fileBytes;
  const use = fits
    ? `in the place of ${NAMES[kind]}`
    : "its speed alone: sound goes to models of 161 features a frame (gains) or 576 samples a step (speech)";
  describe(at("about"), name, model, use);
  at("models").append(rowOf(name, model, fits ? kind : undefined));
  at("dropped").hidden = false;
  model.free();
  say(`${name} was loaded.`);
}

async function open(file) {
  const content = await file.arrayBuffer();
  const isModel = /\.safetensors$/i.test(file.name);
  await attempt(file.name, () => (isModel ? useModel(file.name, content) : show(file.name, content)));
}

function play(samples) {
  const player = at("player");
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(wavOf(samples));
  return player.play();
}

function connect() {
  at("sample").onclick = () =>
    attempt("The sample", async () => show("The sample", await (await fetch("sample.wav")).arrayBuffer()));
  at("open").onclick = () => at("file").click();
  at("file").onchange = ({ target }) => {
    if (target.files[0]) open(target.files[0]);
    target.value = "";
  };
  at("microphone").onclick = () => attempt("The microphone", () => (live ? stopLive() : startLive()));
  at("play-before").onclick = () => attempt("Playing", () => play(shown.samples));
  at("play-after").onclick = () => attempt("Playing", () => play(shown.clean));
  for (const type of ["dragover", "dragleave", "drop"]) {
    addEventListener(type, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", type === "dragover");
      if (type === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
    });
  }
  new ResizeObserver(draw).observe(document.body);
  at("theme").onchange = ({ target }) => setTheme(target.value);
  setTheme(localStorage.getItem("theme") ?? "");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

function setTheme(theme) {
  at("theme").value = theme;
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  draw();
}

async function begin() {
  for (const kind of Object.keys(NAMES)) {
    const response = await fetch(`models/${kind}.safetensors`);
    if (!response.ok) throw new Error(`models/${kind}.safetensors: HTTP status ${response.status}`);
    bytes[kind] = await response.arrayBuffer();
    const model = await load(bytes[kind]);
    at("models").append(rowOf(NAMES[kind], model, kind));
    at("program").textContent = `rnn-native ${model.runtime.version}, ${hasSimd() ? "128-bit SIMD" : "without SIMD"}, one thread.`;
    model.free();
  }
  for (const id of ["sample", "open", "microphone"]) at(id).disabled = false;
  say("Ready: use the sample, a file, or the microphone.");
  if ("serviceWorker" in navigator) await navigator.serviceWorker.register("offline.js");
}

connect();
attempt("The page did not start", begin);
// What tests read: the numbers that are drawn.
globalThis.shownNow = () => shown;
