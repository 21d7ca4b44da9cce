/** Processors of an AudioWorklet that run models: `import` this in a module of your own. */
import { Runtime } from "./runtime.js";

const QUANTUM = 128;

/**
 * Sound in frames. A processor of your own extends it and says what a frame is:
 *
 *     class Denoiser extends FrameProcessor {
 *       constructor(options) {
 *         super(options, { frame: 160 });
 *         this.stream = this.models.denoiser.stream();
 *       }
 *       frame(input, output) { ... }   // both of 160 samples
 *     }
 *
 * The node is made with `processorOptions: { module, models: { denoiser: bytes } }`, where `module` is
 * what `compileProgram()` gave. Sound comes out `latency` samples later than it goes in. `process`
 * allocates nothing as long as `frame` does not: `stream.inputs`, `stream.process()` and
 * `stream.outputs` do not either.
 */
export class FrameProcessor extends AudioWorkletProcessor {
  constructor(options, { frame }) {
    super(options);
    const { module, models = {} } = options.processorOptions;
    this.runtime = new Runtime(module);
    this.models = {};
    for (const [name, bytes] of Object.entries(models)) this.models[name] = this.runtime.load(bytes);
    this.frameSize = frame;
    this.latency = latencyOf(frame);
    this.input = new Float32Array(frame);
    this.output = new Float32Array(frame);
    this.filled = 0;
    this.ready = new Float32Array(2 * (frame + QUANTUM));
    this.written = this.latency;
    this.read = 0;
    this.quanta = 0;
    this.frames = 0;
    this.missed = 0;
    this.nextFrame = -1;
    this.running = true;
    this.port.onmessage = ({ data }) => this.message(data);
  }

  /** What a frame becomes; yours to write. */
  frame(input, output) {
    output.set(input);
  }

  /** Messages to the node's port: "count" is answered with numbers, "stop" ends the processor. */
  message(data) {
    if (data === "stop") this.running = false;
    if (data === "count" || data === "stop") {
      const { quanta, frames, missed } = this;
      this.port.postMessage({ quanta, frames, missed });
    }
  }

  process(inputs, outputs) {
    const input = inputs[0][0];
    const output = outputs[0][0];
    this.#count();
    this.#take(input);
    if (output !== undefined) this.#give(output);
    for (let i = 1; i < outputs[0].length; ++i) outputs[0][i].set(output);
    return this.running;
  }

  /** Quanta that the engine left out count as missed. */
  #count() {
    if (this.nextFrame >= 0 && currentFrame !== this.nextFrame) {
      this.missed += (currentFrame - this.nextFrame) / QUANTUM;
    }
    this.nextFrame = currentFrame + QUANTUM;
    ++this.quanta;
  }

  /** Numbers go from array to array, for an engine may allocate where they are handed on. */
  #take(quantum) {
    const { input } = this;
    for (let i = 0; i < QUANTUM; ++i) {
      input[this.filled++] = quantum === undefined ? 0 : quantum[i];
      if (this.filled < this.frameSize) continue;
      this.filled = 0;
      this.frame(input, this.output);
      ++this.frames;
      this.#keep();
    }
  }

  #keep() {
    const { ready, output } = this;
    for (let i = 0; i < output.length; ++i) {
      ready[this.written] = output[i];
      this.written = this.written + 1 === ready.length ? 0 : this.written + 1;
    }
  }

  #give(output) {
    const { ready } = this;
    for (let i = 0; i < output.length; ++i) {
      output[i] = ready[this.read];
      this.read = this.read + 1 === ready.length ? 0 : this.read + 1;
    }
  }
}

/** Samples after which there is always a frame's result for the next quantum. */
export function latencyOf(frame) {
  let common = QUANTUM;
  for (let rest = frame; rest > 0; ) [common, rest] = [rest, common % rest];
  return frame - common;
}
