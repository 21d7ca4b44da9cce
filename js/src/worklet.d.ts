import type { Model, Runtime } from "./index.js";

/** Made with `processorOptions: { module: await compileProgram(), models: { name: bytes } }`. */
export declare class FrameProcessor {
  constructor(options: unknown, shape: { frame: number });
  readonly port: MessagePort;
  readonly runtime: Runtime;
  readonly models: Record<string, Model>;
  readonly frameSize: number;
  /** Samples that the sound comes out later. */
  readonly latency: number;
  quanta: number;
  frames: number;
  missed: number;
  running: boolean;
  frame(input: Float32Array, output: Float32Array): void;
  message(data: unknown): void;
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

export declare function latencyOf(frame: number): number;
