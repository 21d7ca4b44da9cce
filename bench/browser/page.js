/** What is measured in the page: the same frames by rnn-native and by onnxruntime-web, one thread each. */

const WIDTHS = { silero: 576, nsnet2: 161 };

async function bytesOf(path) {
  return (await fetch(path, { cache: "no-store" })).arrayBuffer();
}

const frameOf = (width) => Float32Array.from({ length: width }, (_, i) => 0.1 * Math.sin(i));

async function native(name, weightDtype) {
  const begin = performance.now();
  const { load } = await import("./package/index.js");
  const model = await load(await bytesOf(`models/${name}.safetensors`), { weightDtype });
  const stream = model.stream();
  const x = frameOf(WIDTHS[name]);
  let y;
  const step = async () => {
    stream.inputs[0].set(x);
    stream.process();
    y = stream.outputs[0];
  };
  await step();
  return { loaded: performance.now() - begin, step, last: () => Array.from(y) };
}

async function onnxruntime(name) {
  const begin = performance.now();
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = new URL("./ort/", location.href).href;
  const session = await ort.InferenceSession.create(new Uint8Array(await bytesOf(`models/${name}.onnx`)), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const [input, ...states] = session.inputNames;
  const [output, ...next] = session.outputNames;
  const size = name === "silero" ? 128 : 400;
  const feeds = { [input]: new ort.Tensor("float32", frameOf(WIDTHS[name]), name === "silero" ? [1, 576] : [1, 1, 161]) };
  for (const state of states) feeds[state] = new ort.Tensor("float32", new Float32Array(size), [1, 1, size]);
  let y;
  const step = async () => {
    const results = await session.run(feeds);
    states.forEach((state, i) => (feeds[state] = results[next[i]]));
    y = results[output].data;
  };
  await step();
  return { loaded: performance.now() - begin, step, last: () => Array.from(y) };
}

/** Milliseconds until the first result; microseconds of a frame, the least of rounds taken in turns. */
export async function measure(name, rounds, steps) {
  const runtimes = {
    "rnn-native": await native(name, "float32"),
    "onnxruntime-web": await onnxruntime(name),
    "rnn-native int8": await native(name, "int8"),
  };
  const found = {};
  for (const [who, { loaded }] of Object.entries(runtimes)) found[who] = { loaded, micros: Infinity };
  for (let round = 0; round < rounds; ++round) {
    for (const [who, { step }] of Object.entries(runtimes)) {
      const begin = performance.now();
      for (let i = 0; i < steps; ++i) await step();
      found[who].micros = Math.min(found[who].micros, (1000 * (performance.now() - begin)) / steps);
    }
  }
  const [ours, theirs] = Object.values(runtimes).map(({ last }) => last());
  const difference = Math.max(...ours.map((value, i) => Math.abs(value - theirs[i])));
  return { found, difference };
}
