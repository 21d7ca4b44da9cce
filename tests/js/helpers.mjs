/** Arrays and models that golden.py wrote, from the folder that GOLDEN names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const GOLDEN = process.env.GOLDEN;
export const cases = JSON.parse(readFileSync(join(GOLDEN, "cases.json"), "utf8"));

export function bytesOf(name) {
  return new Uint8Array(readFileSync(join(GOLDEN, name)));
}

export function arrayOf({ file, dtype }) {
  const { buffer } = bytesOf(file);
  return dtype === "int32" ? new Int32Array(buffer) : new Float32Array(buffer);
}

export function named(arrays) {
  return Object.fromEntries(Object.entries(arrays).map(([name, about]) => [name, arrayOf(about)]));
}

export function sameBits(got, expected) {
  const a = new Uint32Array(got.buffer, got.byteOffset, got.length);
  const b = new Uint32Array(expected.buffer, expected.byteOffset, expected.length);
  if (a.length !== b.length) return `expected ${b.length} numbers, got ${a.length}`;
  const at = a.findIndex((bits, i) => bits !== b[i]);
  return at < 0 ? "" : `number ${at} of ${a.length}: expected ${expected[at]}, got ${got[at]}`;
}

/**
 * Bytes of the heap that `work` takes: the least of some times, for an engine also takes memory where
 * it compiles what has become hot.
 */
export function allocatedBy(work) {
  let least = Infinity;
  for (let round = 0; round < 8; ++round) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    work();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return least;
}
