/** Draws sound and what the networks make of it. Time goes from left to right, ten milliseconds a column. */
import { BINS } from "./fourier.js";

const UNITS = 128;

/** A canvas in device pixels, cleared; its width and height in those. */
function begun(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return { context, width, height, scale };
}

function colour(canvas, name) {
  return getComputedStyle(canvas).getPropertyValue(name).trim();
}

/** The largest and least sample of each column, one colour over the other. */
export function drawWave(canvas, layers) {
  const { context, width, height } = begun(canvas);
  for (const { samples, name } of layers) {
    if (!samples) continue;
    context.fillStyle = colour(canvas, name);
    const step = samples.length / width;
    for (let x = 0; x < width; ++x) {
      let low = 0;
      let high = 0;
      const end = Math.min(samples.length, Math.ceil((x + 1) * step));
      for (let i = Math.floor(x * step); i < end; ++i) {
        if (samples[i] < low) low = samples[i];
        if (samples[i] > high) high = samples[i];
      }
      const top = (0.5 - high / 2) * height;
      context.fillRect(x, top, 1, Math.max(1, (0.5 - low / 2) * height - top));
    }
  }
}

// Dark blue over violet and orange to pale yellow, at even steps of loudness.
const STOPS = [
  [10, 10, 35],
  [60, 20, 110],
  [150, 40, 120],
  [225, 90, 70],
  [250, 165, 60],
  [252, 250, 190],
];
const palette = Uint32Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  const mix = (c) => Math.round(STOPS[low][c] + (at - low) * (STOPS[low + 1][c] - STOPS[low][c]));
  return (255 << 24) | (mix(2) << 16) | (mix(1) << 8) | mix(0);
});

/** A picture of `count` columns and `rows` rows, row 0 at the bottom; shade(column, row) is 0 to 1. */
function drawMap(canvas, count, rows, shade) {
  const { context, width, height } = begun(canvas);
  if (count === 0) return;
  const columns = Math.min(count, width);
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let x = 0; x < columns; ++x) {
    const column = Math.floor((x * count) / columns);
    for (let row = 0; row < rows; ++row) {
      const value = Math.max(0, Math.min(255, Math.round(255 * shade(column, row))));
      pixels[(rows - 1 - row) * columns + x] = palette[value];
    }
  }
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
}

/** Power from -70 to +10 dB of full scale's root; with gains, of what is left of it. */
export function drawSpectrum(canvas, traces, cleaned) {
  const { before, gains, count } = traces;
  drawMap(canvas, count, BINS, (column, bin) => {
    const at = column * BINS + bin;
    const left = cleaned ? 2 * Math.log10(Math.min(Math.max(gains[at], 1e-4), 1)) : 0;
    return (10 * (before[at] + left) + 70) / 90;
  });
}

/** What the detector's LSTM remembers: its units h, from -1 to 1. */
export function drawUnits(canvas, traces) {
  drawMap(canvas, traces.count, UNITS, (column, unit) => 0.5 + traces.units[column * UNITS + unit] / 2);
}

export function drawSpeech(canvas, traces) {
  const { context, width, height, scale } = begun(canvas);
  const { speech, count } = traces;
  context.strokeStyle = colour(canvas, "--line");
  context.setLineDash([4 * scale, 4 * scale]);
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(width, height / 2);
  context.stroke();
  context.setLineDash([]);
  context.strokeStyle = colour(canvas, "--speech");
  context.lineWidth = 2 * scale;
  context.beginPath();
  for (let x = 0; x < width && count > 0; ++x) {
    const y = height - scale - speech[Math.floor((x * count) / width)] * (height - 2 * scale);
    if (x === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}
