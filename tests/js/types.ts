// What a TypeScript program may write, and what it may not.
import { compileProgram, load, RnnNativeError, Runtime, type Model, type Tensor } from "rnn-native";
import { latencyOf } from "rnn-native/worklet";

export async function program(): Promise<number> {
  const model: Model = await load(new Uint8Array(8), { weightDtype: "int8", simd: true });
  const { y, shape, outputs, state } = model.run([1, 2, 3], { batch: 1, lengths: [1] });
  const tensor: Tensor | undefined = outputs["y"];
  const stream = model.stream({ batch: 2, maxSteps: 8 });
  stream.setState(state);
  stream.process(3);
  const pushed: Record<string, Tensor> = stream.push({ x: new Float32Array(4) });
  const other = new Runtime(await compileProgram()).load(new ArrayBuffer(8));
  other.free();
  // @ts-expect-error: there is no such type of weights
  await load("model.safetensors", { weightDtype: "int4" });
  const error = new Error() as RnnNativeError;
  return y.length + shape.length + (tensor?.data.length ?? 0) + Object.keys(pushed).length + latencyOf(160) + error.status;
}
