/** Finds the WebAssembly program that this engine runs, and compiles it. */

// A function that makes a vector of zeros: valid where there is 128-bit SIMD.
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

/** Whether this engine has 128-bit SIMD. */
export function hasSimd() {
  return WebAssembly.validate(SIMD_PROBE);
}

async function bytesOf(url) {
  if (url.protocol === "file:" && globalThis.process?.versions?.node) {
    const { readFile } = await import(/* @vite-ignore */ "node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`expected a file at ${url}, got HTTP status ${response.status}`);
  return response.arrayBuffer();
}

/** What `source` has: bytes, a Blob, a Response, or what is at a URL (in Node: a path as well). */
export async function readBytes(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  if (typeof source?.arrayBuffer === "function") {
    if (source.ok === false) {
      throw new Error(`expected a file at ${source.url}, got HTTP status ${source.status}`);
    }
    return new Uint8Array(await source.arrayBuffer());
  }
  if (source instanceof URL) return new Uint8Array(await bytesOf(source));
  if (typeof source === "string") return new Uint8Array(await bytesOf(await located(source)));
  throw new TypeError("expected bytes, a Blob, a Response, a URL or a path as the model");
}

/** What a text names: a URL, one relative to the page, or in Node a path with any letters in it. */
async function located(text) {
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) return new URL(text); // one letter is a drive
  if (globalThis.location) return new URL(text, globalThis.location.href);
  const { pathToFileURL } = await import(/* @vite-ignore */ "node:url");
  return pathToFileURL(text);
}

const compiled = new Map();

/**
 * The compiled program, compiled once: the one with SIMD where the engine has it, unless `simd` says
 * otherwise; or the one at `wasm`, a URL or bytes.
 */
export function compileProgram({ simd = hasSimd(), wasm } = {}) {
  if (wasm instanceof WebAssembly.Module) return Promise.resolve(wasm);
  // A bundler copies both, since it reads these two URLs.
  const url = simd ? new URL("./simd.wasm", import.meta.url) : new URL("./baseline.wasm", import.meta.url);
  const source = wasm ?? url;
  const key = typeof source === "object" && !(source instanceof URL) ? source : String(source);
  if (!compiled.has(key)) {
    const module = readBytes(source).then((bytes) => WebAssembly.compile(bytes));
    compiled.set(key, module);
    module.catch(() => compiled.delete(key));
  }
  return compiled.get(key);
}
