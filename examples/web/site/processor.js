/** What runs in the AudioWorklet: both networks, frame by frame, and traces of what they did. */
import { FrameProcessor } from "./rnn-native/worklet.js";
import { Denoiser, HOP } from "./denoiser.js";
import { Detector } from "./detector.js";
import { BINS } from "./fourier.js";

export const UNITS = 128;

class Studio extends FrameProcessor {
  constructor(options) {
    super(options, { frame: HOP });
    const { frames, muted } = options.processorOptions;
    this.denoiser = new Denoiser(this.models.denoiser);
    this.detector = new Detector(this.models.detector);
    this.capacity = frames;
    this.muted = muted;
    this.before = new Float32Array(frames * BINS); // log10 of the power
    this.gains = new Float32Array(frames * BINS);
    this.speech = new Float32Array(frames);
    this.units = new Float32Array(frames * UNITS);
    this.sent = 0;
    this.memory = new Float32Array(UNITS);
  }

  frame(input, output) {
    this.denoiser.frame(input, output);
    if (this.detector.take(input)) this.memory.set(this.detector.memory);
    const at = this.frames % this.capacity;
    this.before.set(this.denoiser.features, at * BINS);
    this.gains.set(this.denoiser.gains, at * BINS);
    this.units.set(this.memory, at * UNITS);
    this.speech[at] = this.detector.speech;
    if (this.muted) output.fill(0);
  }

  message(data) {
    if (data === "read") this.send();
    else super.message(data);
  }

  /** Traces of the frames since the last time; the only place that allocates, when it is asked. */
  send() {
    const begin = Math.max(this.sent, this.frames - this.capacity);
    const count = this.frames - begin;
    const part = (array, width) => {
      const copy = new Float32Array(count * width);
      for (let i = 0; i < count; ++i) {
        const at = ((begin + i) % this.capacity) * width;
        copy.set(array.subarray(at, at + width), i * width);
      }
      return copy;
    };
    this.port.postMessage({
      begin,
      count,
      missed: this.missed,
      quanta: this.quanta,
      before: part(this.before, BINS),
      gains: part(this.gains, BINS),
      speech: part(this.speech, 1),
      units: part(this.units, UNITS),
    });
    this.sent = this.frames;
  }
}

registerProcessor("studio", Studio);
