/**
 * NSNet2 over live sound: 10 ms in, the 10 ms before them out. The numbers are those of
 * examples/denoise/features.py: frames of 20 ms, the root of a Hann window on the way in and out.
 */
import { BINS, Fourier } from "./fourier.js";

export const HOP = 160;
const FRAME = 2 * HOP;
const LEAST_POWER = 1e-12;
const LEAST_GAIN = 1e-4; // -80 dB

const window = Float64Array.from({ length: FRAME }, (_, i) =>
  Math.sqrt(0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FRAME - 1))),
);

export class Denoiser {
  constructor(model) {
    this.stream = model.stream();
    this.features = this.stream.inputs[0];
    this.gains = this.stream.outputs[0];
    this.fourier = new Fourier();
    this.heard = new Float64Array(FRAME);
    this.tail = new Float64Array(HOP);
  }

  /** input [160] -> output [160]; features and gains [161] are those of this frame. */
  frame(input, output) {
    const { heard, fourier, features, gains, tail } = this;
    heard.copyWithin(0, HOP);
    heard.set(input, HOP);
    fourier.forward(heard, window);
    const { re, im } = fourier;
    for (let k = 0; k < BINS; ++k) {
      features[k] = Math.log10(Math.max(re[k] * re[k] + im[k] * im[k], LEAST_POWER));
    }
    this.stream.process();
    for (let k = 0; k < BINS; ++k) {
      const gain = Math.min(Math.max(gains[k], LEAST_GAIN), 1);
      re[k] *= gain;
      im[k] *= gain;
    }
    fourier.backward();
    for (let i = 0; i < HOP; ++i) {
      output[i] = tail[i] + re[i] * window[i];
      tail[i] = re[HOP + i] * window[HOP + i];
    }
  }
}
