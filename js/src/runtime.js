import { check, RnnNativeError } from "./errors.js";
import { Model } from "./model.js";

const MESSAGE_SIZE = 512;
const WEIGHT_TYPES = { float32: 0, int8: 3 };

/**
 * A program that runs, and its memory. An AudioWorklet makes one of a compiled WebAssembly.Module;
 * elsewhere `load` makes one for each model.
 */
export class Runtime {
  constructor(module) {
    this.exports = new WebAssembly.Instance(module, importsOf(module)).exports;
    this.exports._initialize?.();
    this.memory = this.exports.memory;
  }

  get version() {
    return this.text(this.exports.rnnat_version());
  }

  /** A model of the bytes of a .safetensors file, which are not needed afterwards. */
  load(bytes, { weightDtype = "float32" } = {}) {
    const type = WEIGHT_TYPES[weightDtype];
    if (type === undefined) {
      throw new TypeError(`expected weightDtype "float32" or "int8", got ${JSON.stringify(weightDtype)}`);
    }
    const file = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    const address = this.allocate(file.byteLength);
    const out = this.allocate(4);
    const message = this.allocate(MESSAGE_SIZE);
    try {
      new Uint8Array(this.memory.buffer, address, file.byteLength).set(file);
      new Uint8Array(this.memory.buffer)[message] = 0;
      const status = this.exports.rnnat_js_model(address, file.byteLength, type, out, message, MESSAGE_SIZE);
      if (status !== 0) throw new RnnNativeError(status, "this model was not loaded", this.text(message));
      return new Model(this, this.ints(out, 1)[0] >>> 0);
    } finally {
      this.exports.free(address);
      this.exports.free(out);
      this.exports.free(message);
    }
  }

  /** Bytes of the program's memory, aligned for its vectors. */
  allocate(bytes) {
    const address = this.exports.malloc(Math.max(bytes, 16)) >>> 0;
    if (address === 0) check(7, `expected ${bytes} bytes of memory`);
    return address;
  }

  floats(address, length) {
    return new Float32Array(this.memory.buffer, address, length);
  }

  ints(address, length) {
    return new Int32Array(this.memory.buffer, address, length);
  }

  /** A text that ends with a zero. An AudioWorklet has no TextDecoder. */
  text(address) {
    const bytes = new Uint8Array(this.memory.buffer);
    let escaped = "";
    for (let i = address; bytes[i] !== 0; ++i) escaped += `%${bytes[i].toString(16).padStart(2, "0")}`;
    return decodeURIComponent(escaped);
  }
}

/** The program calls nothing outside of it: what its C library imports does nothing. */
function importsOf(module) {
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === "function") (imports[from] ??= {})[name] = () => 0;
  }
  return imports;
}
