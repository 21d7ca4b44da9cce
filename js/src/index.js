/** Runs trained recurrent networks: `load` a model, `run` it over sequences, or `stream` it. */
import { compileProgram, readBytes } from "./program.js";
import { Runtime } from "./runtime.js";

export { RnnNativeError } from "./errors.js";
export { Model } from "./model.js";
export { Stream } from "./stream.js";
export { compileProgram, hasSimd } from "./program.js";
export { Runtime } from "./runtime.js";

/**
 * Loads a model: the bytes of a .safetensors file that describes its layers, a Blob, a Response, or
 * where it is, a URL (in Node: a path as well).
 */
export async function load(source, { weightDtype, simd, wasm } = {}) {
  const [module, bytes] = await Promise.all([compileProgram({ simd, wasm }), readBytes(source)]);
  return new Runtime(module).load(bytes, { weightDtype });
}
