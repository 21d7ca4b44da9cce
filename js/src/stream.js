import { inOrder, widthOf } from "./arrays.js";
import { check } from "./errors.js";

const forgotten = new FinalizationRegistry(({ runtime, address, memory }) => {
  runtime.exports.rnnat_stream_free(address);
  runtime.exports.free(memory);
});

/**
 * A stream: state that is kept from call to call. Its arrays lie in the program's memory from the
 * start, so that `process` allocates nothing.
 */
export class Stream {
  #views = [];
  #buffer = null;

  constructor(model, batch, maxSteps) {
    this.model = model;
    this.runtime = model.runtime;
    this.batch = batch;
    this.maxSteps = maxSteps;
    const { exports } = this.runtime;
    this.#lay();
    check(exports.rnnat_stream_create(model.address, batch, maxSteps, this.out), "no stream was made");
    this.address = this.runtime.ints(this.out, 1)[0] >>> 0;
    forgotten.register(this, { runtime: this.runtime, address: this.address, memory: this.memory }, this);
  }

  /** One block of memory: inputs, outputs, their addresses, capacities, counts, and a state array. */
  #lay() {
    const { inputs, outputs, states } = this.model;
    this.widths = inputs.map((input) => this.batch * widthOf(input));
    this.outWidths = outputs.map((output) => this.batch * output.features);
    // Where layers have strides, a step makes at most so many, and those that waited for it besides.
    this.capacities = outputs.map(({ hasTime, repeat, stride }) => {
      if (!hasTime) return 1;
      return repeat === stride ? this.maxSteps : Math.ceil((this.maxSteps * repeat) / stride) + repeat;
    });
    const inSizes = this.widths.map((width, i) => width * (inputs[i].hasTime ? this.maxSteps : 1));
    const outSizes = this.outWidths.map((width, i) => width * this.capacities[i]);
    const stateSize = Math.max(0, ...states.map(({ rows, features }) => rows * features * this.batch));
    this.stateSize = stateSize;
    const sizes = [...inSizes, ...outSizes, inputs.length, outputs.length, outputs.length, outputs.length, 1, stateSize];
    const offsets = [];
    let end = 0;
    for (const size of sizes) {
      offsets.push(4 * end);
      end += Math.ceil(size / 4) * 4;
    }
    this.memory = this.runtime.allocate(4 * end);
    this.runtime.floats(this.memory, end).fill(0);
    const places = offsets.map((offset) => this.memory + offset);
    this.inPlaces = places.slice(0, inputs.length);
    this.outPlaces = places.slice(inputs.length, inputs.length + outputs.length);
    [this.inTable, this.outTable, this.capacityTable, this.gotTable, this.out, this.statePlace] =
      places.slice(inputs.length + outputs.length);
    this.inSizes = inSizes;
    this.outSizes = outSizes;
    this.runtime.ints(this.inTable, inputs.length).set(this.inPlaces);
    this.runtime.ints(this.outTable, outputs.length).set(this.outPlaces);
    this.runtime.ints(this.capacityTable, outputs.length).set(this.capacities);
  }

  #living() {
    if (this.address === 0) throw new Error("this stream was freed");
    if (this.model.address === 0) throw new Error("this stream's model was freed");
  }

  /** Views are made anew only where the program's memory has grown since. */
  #current() {
    this.#living();
    if (this.#buffer === this.runtime.memory.buffer) return this.#views;
    this.#buffer = this.runtime.memory.buffer;
    const { inputs } = this.model;
    this.#views = {
      inputs: this.inPlaces.map((place, i) =>
        inputs[i].indices > 0 ? this.runtime.ints(place, this.inSizes[i]) : this.runtime.floats(place, this.inSizes[i])),
      outputs: this.outPlaces.map((place, i) => this.runtime.floats(place, this.outSizes[i])),
      got: this.runtime.ints(this.gotTable, this.outPlaces.length),
      state: this.runtime.floats(this.statePlace, this.stateSize),
    };
    return this.#views;
  }

  /** What `process` reads: [maxSteps, batch, features] of each input, in the order of model.inputs. */
  get inputs() {
    return this.#current().inputs;
  }

  /** What `process` writes, in the order of model.outputs. */
  get outputs() {
    return this.#current().outputs;
  }

  /** How many steps of each output the last `push` or `process` made. */
  get got() {
    return this.#current().got;
  }

  /** Runs `steps` steps of what is in `inputs`, into `outputs`; allocates nothing. */
  process(steps = 1) {
    this.#living();
    if (!(Number.isInteger(steps) && steps >= 0 && steps <= this.maxSteps)) {
      throw new RangeError(`steps: expected a whole number, 0 to ${this.maxSteps} as maxSteps says, got ${steps}`);
    }
    const status = this.runtime.exports.rnnat_stream_push_values(
      this.address, this.inTable, steps, this.outTable, this.capacityTable, this.gotTable);
    if (status !== 0) check(status, "this step failed");
  }

  /**
   * One step, x [batch, features], or an object of such arrays by name. Returns the first output,
   * [batch, features]; all of them are in `outputs`. A model whose layers have strides takes `push`.
   */
  step(x) {
    this.#put(inOrder(this.model.inputs, x), 1);
    const { exports } = this.runtime;
    const status = exports.rnnat_stream_run_values(this.address, this.inTable, 1, this.outTable);
    const strides = this.model.outputs.some(({ repeat, stride, latency }) => repeat !== stride || latency > 0);
    check(status, strides ? "this step failed; a model with strides takes push()" : "this step failed");
    return this.outputs[0].slice(0, this.outWidths[0]);
  }

  /**
   * Any number of steps, x [steps, batch, features], or an object of such arrays by name. Returns those
   * steps of each output that are ready, by name.
   */
  push(x) {
    const arrays = inOrder(this.model.inputs, x);
    const { inputs, outputs } = this.model;
    const timed = inputs.findIndex((input) => input.hasTime);
    const steps = timed < 0 ? 1 : arrays[timed].length / this.widths[timed];
    const parts = outputs.map(() => []);
    if (!Number.isInteger(steps)) {
      throw new RangeError(
        `input "${inputs[timed].name}": expected a multiple of ${this.widths[timed]} numbers, got ${arrays[timed].length}`);
    }
    for (let begin = 0; begin < steps; begin += this.maxSteps) {
      const count = Math.min(this.maxSteps, steps - begin);
      const piece = arrays.map((array, i) =>
        inputs[i].hasTime ? array.subarray(begin * this.widths[i], (begin + count) * this.widths[i]) : array);
      this.#put(piece, count);
      this.process(count);
      this.outputs.forEach((view, i) => parts[i].push(view.slice(0, this.got[i] * this.outWidths[i])));
    }
    const results = {};
    outputs.forEach(({ name, features, hasTime }, i) => {
      const data = hasTime ? joined(parts[i]) : (parts[i].at(-1) ?? new Float32Array());
      const shape = hasTime ? [data.length / this.outWidths[i], this.batch, features] : [this.batch, features];
      results[name] = { data, shape };
    });
    return results;
  }

  #put(arrays, steps) {
    const views = this.inputs;
    arrays.forEach((array, i) => {
      const wanted = this.widths[i] * (this.model.inputs[i].hasTime ? steps : 1);
      if (array.length !== wanted) {
        throw new RangeError(
          `input "${this.model.inputs[i].name}": expected ${wanted} numbers, got ${array.length}`);
      }
      views[i].set(array);
    });
  }

  /** Back to the model's initial state. */
  reset() {
    this.#current();
    check(this.runtime.exports.rnnat_stream_reset(this.address), "this stream was not reset");
  }

  #stateSize({ rows, features }) {
    return rows * features * this.batch;
  }

  /** The state, an array [rows, batch, features] for each of model.states. */
  getState() {
    this.#current();
    return this.model.states.map((state, index) => {
      check(this.runtime.exports.rnnat_stream_get_state(this.address, index, this.statePlace), `state ${index}`);
      return this.runtime.floats(this.statePlace, this.#stateSize(state)).slice();
    });
  }

  /** State array `index` as a view of memory that the next call of this, or of getState, writes anew. */
  peekState(index) {
    const view = this.#current().state;
    check(this.runtime.exports.rnnat_stream_get_state(this.address, index, this.statePlace), "this state");
    return view;
  }

  setState(arrays) {
    this.#current();
    const { states } = this.model;
    if (arrays.length !== states.length) {
      throw new RangeError(`expected a state of ${states.length} arrays, got ${arrays.length}`);
    }
    states.forEach((state, index) => {
      const wanted = this.#stateSize(state);
      if (arrays[index].length !== wanted) {
        throw new RangeError(`state ${index}: expected ${wanted} numbers, got ${arrays[index].length}`);
      }
    });
    states.forEach((state, index) => {
      this.runtime.floats(this.statePlace, this.#stateSize(state)).set(arrays[index]);
      check(this.runtime.exports.rnnat_stream_set_state(this.address, index, this.statePlace), `state ${index}`);
    });
  }

  /** Gives its memory back. */
  free() {
    if (this.address === 0) return;
    forgotten.unregister(this);
    this.runtime.exports.rnnat_stream_free(this.address);
    this.runtime.exports.free(this.memory);
    this.address = 0;
  }
}

if (Symbol.dispose) Stream.prototype[Symbol.dispose] = Stream.prototype.free;

function joined(parts) {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let end = 0;
  for (const part of parts) {
    all.set(part, end);
    end += part.length;
  }
  return all;
}
