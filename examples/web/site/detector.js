/** Silero's detector over live sound: every 512 samples, a probability of speech. */

export const CHUNK = 512;
const CONTEXT = 64;

export class Detector {
  constructor(model) {
    this.stream = model.stream();
    this.heard = this.stream.inputs[0]; // 64 samples of the chunk before, and 512
    this.filled = 0;
    this.speech = 0;
  }

  /** Takes any samples; true where they completed a chunk, whose probability is in `speech`. */
  take(samples) {
    let complete = false;
    for (let i = 0; i < samples.length; ++i) {
      this.heard[CONTEXT + this.filled++] = samples[i];
      if (this.filled < CHUNK) continue;
      this.filled = 0;
      this.stream.process();
      this.speech = this.stream.outputs[0][0];
      this.heard.copyWithin(0, CHUNK);
      complete = true;
    }
    return complete;
  }

  /** What it remembers: h of its LSTM [128], until the next call. */
  get memory() {
    return this.stream.peekState(0);
  }
}
