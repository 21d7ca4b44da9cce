/** The installed package: the bits of Python's baseline kernels, errors, memory. */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { compileProgram, hasSimd, load, RnnNativeError, Runtime } from "rnn-native";
import { allocatedBy, arrayOf, bytesOf, cases, GOLDEN, named, sameBits } from "./helpers.mjs";

const PROGRAMS = { simd: true, baseline: false };

async function modelOf({ model, weightDtype }, simd) {
  return load(bytesOf(model), { weightDtype, simd });
}

for (const [program, simd] of Object.entries(PROGRAMS)) {
  for (const golden of cases) {
    test(`${program}: ${golden.name} has Python's bits`, async () => {
      const model = await modelOf(golden, simd);
      const inputs = renamed(model, named(golden.inputs));
      const state = golden.state.length ? golden.state.map(arrayOf) : undefined;
      const result = model.run(inputs, { batch: golden.batch, lengths: golden.lengths ?? undefined, state });
      const expected = Object.values(golden.outputs);
      Object.values(result.outputs).forEach(({ data, shape }, i) => {
        assert.deepEqual(shape, expected[i].shape);
        assert.equal(sameBits(data, arrayOf(expected[i])), "");
      });
      result.state.forEach((array, i) => assert.equal(sameBits(array, arrayOf(golden.last[i])), ""));
      model.free();
    });

    test(`${program}: a stream of ${golden.name} has them too`, async () => {
      const model = await modelOf(golden, simd);
      if (!golden.stream) {
        if (!model.streamable) assert.throws(() => model.stream(), { code: "UNSUPPORTED" });
        return;
      }
      const inputs = renamed(model, named(golden.inputs));
      const expected = Object.values(golden.outputs).map(arrayOf);
      for (const maxSteps of [1, 4]) {
        const stream = model.stream({ batch: golden.batch, maxSteps });
        const first = stream.push(inputs);
        Object.values(first).forEach(({ data }, i) => assert.equal(sameBits(data, expected[i]), ""));
        stream.getState().forEach((array, i) => assert.equal(sameBits(array, arrayOf(golden.last[i])), ""));
        stream.reset();
        const again = Object.values(stream.push(inputs))[0];
        assert.equal(sameBits(again.data, expected[0]), "");
        stream.free();
      }
      model.free();
    });
  }
}

/** Python's names of the only input may differ from the file's. */
function renamed(model, inputs) {
  return model.inputs.length === 1 ? Object.values(inputs)[0] : inputs;
}

const lstm = cases.find(({ name }) => name === "lstm");

test("steps one by one, with a state taken out and put back", async () => {
  const model = await modelOf(lstm);
  const x = arrayOf(Object.values(lstm.inputs)[0]);
  const y = arrayOf(Object.values(lstm.outputs)[0]);
  const stream = model.stream({ batch: lstm.batch });
  const [width, outWidth] = [lstm.batch * 5, lstm.batch * 19];
  let state;
  for (let t = 0; t < 10; ++t) {
    if (t === 5) state = stream.getState();
    const got = stream.step(x.subarray(t * width, (t + 1) * width));
    assert.equal(sameBits(got, y.slice(t * outWidth, (t + 1) * outWidth)), "");
  }
  const other = model.stream({ batch: lstm.batch });
  other.setState(state);
  const got = other.step(x.subarray(5 * width, 6 * width));
  assert.equal(sameBits(got, y.slice(5 * outWidth, 6 * outWidth)), "");
});

test("what a model says of itself", async () => {
  const model = await modelOf(lstm);
  assert.equal(model.inputs.length, 1);
  assert.equal(model.inputs[0].features, 5);
  assert.equal(model.outputs[0].features, 19);
  assert.deepEqual(model.states, [{ rows: 1, features: 19 }, { rows: 1, features: 19 }]);
  assert.equal(model.numParameters, 4 * 19 * (5 + 19 + 2));
  assert.equal(model.weightDtype, "float32");
  assert.equal(model.streamable, true);
  assert.equal(model.runtime.version, JSON.parse(readFileSync(packageFile("package.json"))).version);
});

test("a path, a URL, a Blob and a Response are models too", async () => {
  const path = join(GOLDEN, lstm.model);
  const sources = [path, pathToFileURL(path), new Blob([bytesOf(lstm.model)]), new Response(bytesOf(lstm.model))];
  for (const source of sources) assert.equal((await load(source)).outputs[0].features, 19);
  for (const name of ["a#b", "a?b", "100%", "a%20b"]) {
    const odd = join(GOLDEN, `${name}.safetensors`);
    writeFileSync(odd, bytesOf(lstm.model));
    assert.equal((await load(odd)).outputs[0].features, 19);
  }
  const { buffer } = bytesOf(lstm.model);
  assert.equal(new Runtime(await compileProgram()).load(new DataView(buffer)).outputs[0].features, 19);
  await assert.rejects(load(new Response("", { status: 404 })), /HTTP status 404/);
  await assert.rejects(load(7), /expected bytes, a Blob/);
});

test("bad files and arguments are errors that say what was expected", async () => {
  const model = await modelOf(lstm);
  await assert.rejects(load(new Uint8Array(100)), (error) => error instanceof RnnNativeError && error.code === "FORMAT");
  const half = bytesOf(lstm.model);
  await assert.rejects(load(half.subarray(0, half.length / 2)), RnnNativeError);
  const text = Buffer.from(bytesOf(lstm.model)).toString("latin1");
  const other = Buffer.from(text.replace("hidden_size=19", "hidden_size=18"), "latin1");
  assert.notEqual(other.toString("latin1"), text);
  await assert.rejects(load(other), { code: "SHAPE", message: /weight_ih_l0.*expected the shape \[72, 5\], got \[76, 5\]/ });
  await assert.rejects(load(bytesOf(lstm.model), { weightDtype: "int4" }), /expected weightDtype/);
  assert.throws(() => model.run(new Float32Array(7)), /expected a multiple of 5 numbers .* got 7/);
  assert.throws(() => model.run(new Int32Array(5)), /expected Float32Array of features, got Int32Array/);
  assert.throws(() => model.run({ y: new Float32Array(5) }), /expected inputs "x", got "y"/);
  assert.throws(() => model.run(new Float32Array(5), { batch: 0 }), /batch: expected a whole number/);
  assert.throws(() => model.run(new Float32Array(5), { lengths: [9] }), { code: "LENGTH" });
  assert.throws(() => model.run(new Float32Array(5), { state: [] }), /expected a state of 2 arrays, got 0/);
  const stream = model.stream({ maxSteps: 2 });
  assert.throws(() => stream.step(new Float32Array(4)), /expected 5 numbers, got 4/);
  for (const steps of [3, 1.5, -1, NaN]) assert.throws(() => stream.process(steps), /steps: expected a whole number, 0 to 2/);
  assert.throws(() => model.run(new Float32Array(5), { lengths: [0.5] }), /lengths: expected a whole number/);
  assert.throws(() => stream.setState([]), /expected a state of 2 arrays/);
  stream.free();
  stream.free();
  assert.throws(() => stream.step(new Float32Array(5)), /this stream was freed/);
  const orphan = model.stream();
  model.free();
  assert.throws(() => model.run(new Float32Array(5)), /this model was freed/);
  for (const call of [() => orphan.step(new Float32Array(5)), () => orphan.process(), () => orphan.reset(), () => orphan.getState()]) {
    assert.throws(call, /this stream's model was freed/);
  }
  orphan.free();
  const words = await modelOf(cases.find(({ name }) => name === "embedding"));
  assert.throws(() => words.run(Int32Array.of(1, 30)), { code: "INDEX" });
});

test("an error leaves no memory behind, and calls need no more of it with time", async () => {
  const runtime = new Runtime(await compileProgram());
  const model = runtime.load(bytesOf("nsnet2.safetensors"));
  const stream = model.stream();
  const x = new Float32Array(model.inputs[0].features);
  for (let i = 0; i < 50; ++i) stream.step(x);
  const before = runtime.memory.buffer.byteLength;
  for (let i = 0; i < 200; ++i) {
    assert.throws(() => runtime.load(bytesOf("nsnet2.safetensors").subarray(0, 200_000)));
    runtime.load(bytesOf("lstm.safetensors")).free();
    model.run(x);
  }
  assert.ok(runtime.memory.buffer.byteLength <= before + (2 << 20), "memory grew");
});

test("process allocates nothing", async () => {
  assert.ok(globalThis.gc, "run node with --expose-gc");
  const model = await load(bytesOf("silero.safetensors"));
  const stream = model.stream();
  const [input] = stream.inputs;
  const step = (count) => {
    for (let i = 0; i < count; ++i) {
      input[i % input.length] = 0.1;
      stream.process();
    }
  };
  const grown = allocatedBy(() => step(10_000));
  assert.ok(grown < 100_000, `10,000 steps took ${grown} bytes`); // an object each would be 160,000
});

function packageFile(name) {
  return fileURLToPath(new URL(name, import.meta.resolve("rnn-native/package.json")));
}

test("the programs are small", () => {
  assert.ok(hasSimd());
  for (const name of ["simd.wasm", "baseline.wasm"]) {
    assert.ok(statSync(packageFile(name)).size <= 150_000, `${name} has more than 150 KB`);
  }
});
