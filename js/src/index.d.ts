/** What a model takes, or gives. */
export interface ValueInfo {
  name: string;
  /** Features of a step; of an input of indices, those of its embedding. */
  features: number;
  /** Of an input: indices below this; 0: features. */
  indices: number;
  /** Whether it has steps; [batch, features] where not. */
  hasTime: boolean;
  /** It has `repeat` steps for every `stride` steps of the inputs, `latency` steps late. */
  repeat: number;
  stride: number;
  latency: number;
}

/** The shape of a state array: [rows, batch, features]. */
export interface StateInfo {
  rows: number;
  features: number;
}

export interface Tensor {
  data: Float32Array;
  shape: number[];
}

/** Features are Float32Array, indices Int32Array; arrays of numbers become what is wanted. */
export type Values = Float32Array | Int32Array | number[];
export type Given = Values | Record<string, Values>;

export interface RunOptions {
  /** Rows of x [time, batch, features]; 1 by itself. */
  batch?: number;
  /** How many steps of each row count. */
  lengths?: ArrayLike<number>;
  /** The state at the beginning, an array for each of `states`. */
  state?: Float32Array[];
}

export interface RunResult {
  /** The first output, and its shape. */
  y: Float32Array;
  shape: number[];
  outputs: Record<string, Tensor>;
  /** At each row's own end. */
  state: Float32Array[];
}

export interface ModelOptions {
  /** What matrices are stored as; "int8" takes a quarter of the memory. */
  weightDtype?: "float32" | "int8";
}

export interface ProgramOptions {
  /** Whether to use 128-bit SIMD; by itself where the engine has it. */
  simd?: boolean;
  /** Another program: a compiled module, bytes, or a URL. */
  wasm?: WebAssembly.Module | BufferSource | string | URL;
}

export type Source = BufferSource | Blob | Response | URL | string;

export declare class Model {
  private constructor();
  readonly inputs: ValueInfo[];
  readonly outputs: ValueInfo[];
  readonly states: StateInfo[];
  readonly numLayers: number;
  readonly numParameters: number;
  /** Bytes that it occupies. */
  readonly memory: number;
  readonly weightDtype: string;
  /** Whether `stream` can be called: every layer runs forward. */
  readonly streamable: boolean;
  readonly runtime: Runtime;
  run(x: Given, options?: RunOptions): RunResult;
  stream(options?: { batch?: number; maxSteps?: number }): Stream;
  free(): void;
  /** The same as `free`, for `using`, where the engine has it. */
  [Symbol.dispose](): void;
}

export declare class Stream {
  private constructor();
  readonly model: Model;
  readonly batch: number;
  readonly maxSteps: number;
  /** What `process` reads and writes: views of the program's memory. */
  readonly inputs: (Float32Array | Int32Array)[];
  readonly outputs: Float32Array[];
  readonly got: Int32Array;
  /** One step: x [batch, features] -> the first output, [batch, features]. */
  step(x: Given): Float32Array;
  /** Any number of steps -> those of each output that are ready. */
  push(x: Given): Record<string, Tensor>;
  /** Steps of what is in `inputs`, into `outputs`; allocates nothing. */
  process(steps?: number): void;
  reset(): void;
  getState(): Float32Array[];
  /** Without a copy: as long as the longest state array, good until the next call. */
  peekState(index: number): Float32Array;
  setState(state: ArrayLike<number>[]): void;
  free(): void;
  [Symbol.dispose](): void;
}

export declare class Runtime {
  constructor(module: WebAssembly.Module);
  readonly version: string;
  load(bytes: BufferSource, options?: ModelOptions): Model;
}

export declare class RnnNativeError extends Error {
  /** "FORMAT", "SHAPE" and others, as in rnn_native.h. */
  readonly code: string;
  readonly status: number;
}

export declare function load(source: Source, options?: ModelOptions & ProgramOptions): Promise<Model>;
export declare function compileProgram(options?: ProgramOptions): Promise<WebAssembly.Module>;
export declare function hasSimd(): boolean;
