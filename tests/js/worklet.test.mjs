/** Processors of rnn-native/worklet, in a scope that has what an AudioWorklet's has. */
import assert from "node:assert/strict";
import test from "node:test";

import { compileProgram } from "rnn-native";
import { allocatedBy, bytesOf, cases, arrayOf, sameBits } from "./helpers.mjs";

globalThis.AudioWorkletProcessor = class {
  constructor() {
    this.port = { posted: [], postMessage(data) { this.posted.push(data); } };
  }
};
globalThis.currentFrame = 0;
const { FrameProcessor, latencyOf } = await import("rnn-native/worklet");

/** Sound through a processor, a quantum at a time. */
function played(processor, sound) {
  const out = new Float32Array(sound.length);
  for (let at = 0; at < sound.length; at += 128) {
    assert.ok(processor.process([[sound.subarray(at, at + 128)]], [[out.subarray(at, at + 128)]]));
    globalThis.currentFrame += 128;
  }
  return out;
}

const module = await compileProgram();

for (const frame of [32, 100, 128, 160, 480, 512]) {
  test(`frames of ${frame}: sound comes out whole, and as late as said`, () => {
    const processor = new FrameProcessor({ processorOptions: { module } }, { frame });
    const sound = Float32Array.from({ length: 128 * 60 }, (_, i) => Math.sin(i));
    const out = played(processor, sound);
    assert.equal(processor.latency, latencyOf(frame));
    assert.ok(out.subarray(0, processor.latency).every((value) => value === 0));
    const { latency } = processor;
    assert.equal(sameBits(out.slice(latency), sound.slice(0, sound.length - latency)), "");
    processor.message("count");
    assert.deepEqual(processor.port.posted, [
      { quanta: 60, frames: Math.floor((128 * 60) / frame), missed: 0 },
    ]);
  });
}

test("quanta that an engine leaves out are counted", () => {
  const processor = new FrameProcessor({ processorOptions: { module } }, { frame: 128 });
  played(processor, new Float32Array(256));
  globalThis.currentFrame += 3 * 128;
  played(processor, new Float32Array(128));
  assert.equal(processor.missed, 3);
});

test("a model in a processor has Python's bits, and process allocates nothing", () => {
  const golden = cases.find(({ name }) => name === "silero");
  const x = arrayOf(Object.values(golden.inputs)[0]);
  const y = arrayOf(Object.values(golden.outputs)[0]);

  class Detector extends FrameProcessor {
    constructor(options) {
      super(options, { frame: 512 });
      this.stream = this.models.silero.stream();
      this.speech = this.stream.outputs[0];
      this.heard = this.stream.inputs[0];
      this.found = new Float32Array(y.length);
    }

    frame(input, output) {
      this.heard.copyWithin(0, 512);
      this.heard.set(input, 64);
      this.stream.process();
      if (this.frames < this.found.length) this.found[this.frames] = this.speech[0];
      output.set(input);
    }
  }

  const processor = new Detector({
    processorOptions: { module, models: { silero: bytesOf("silero.safetensors").buffer } },
  });
  const sound = new Float32Array(512 * y.length);
  for (let t = 0; t < y.length; ++t) sound.set(x.subarray(576 * t + 64, 576 * (t + 1)), 512 * t);
  played(processor, sound);
  assert.equal(sameBits(processor.found, y), "");

  const inputs = [[new Float32Array(128)]];
  const outputs = [[new Float32Array(128)]];
  const play = (count) => {
    for (let i = 0; i < count; ++i) {
      processor.process(inputs, outputs);
      globalThis.currentFrame += 128;
    }
  };
  const grown = allocatedBy(() => play(10_000));
  assert.ok(grown < 100_000, `10,000 quanta took ${grown} bytes`); // an object each would be 160,000
  assert.equal(processor.missed, 0);
});

test("a stop ends the processor", () => {
  const processor = new FrameProcessor({ processorOptions: { module } }, { frame: 128 });
  processor.message("stop");
  assert.equal(processor.process([[new Float32Array(128)]], [[new Float32Array(128)]]), false);
});
