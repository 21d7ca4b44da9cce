import { CallArrays, inOrder, widthOf } from "./arrays.js";
import { check } from "./errors.js";
import { Stream } from "./stream.js";

const TYPES = ["float32", "float16", "bfloat16", "int8"];

// Frees what is not used any more, where nobody has called free().
const forgotten = new FinalizationRegistry(({ runtime, address }) => runtime.exports.rnnat_model_free(address));

/** A model: immutable, made by `load` or `Runtime.load`. */
export class Model {
  constructor(runtime, address) {
    this.runtime = runtime;
    this.address = address;
    forgotten.register(this, { runtime, address }, this);
    const about = runtime.allocate(64);
    try {
      runtime.exports.rnnat_js_describe(address, about);
      const [inputs, outputs, states, layers, streams, type, memory, parameters] = new Float64Array(
        runtime.memory.buffer, about, 8);
      this.numLayers = layers;
      this.streamable = streams === 1;
      this.weightDtype = TYPES[type];
      this.memory = memory;
      this.numParameters = parameters;
      this.inputs = this.#values(0, inputs, about);
      this.outputs = this.#values(1, outputs, about);
      this.states = this.#states(states, about);
    } finally {
      runtime.exports.free(about);
    }
  }

  #values(isOutput, count, about) {
    return Array.from({ length: count }, (_, index) => {
      const name = this.runtime.exports.rnnat_js_value(this.address, isOutput, index, about);
      const [features, indices, hasTime, repeat, stride, latency] = this.runtime.ints(about, 6);
      return { name: this.runtime.text(name), features, indices, hasTime: hasTime === 1, repeat, stride, latency };
    });
  }

  #states(count, about) {
    return Array.from({ length: count }, (_, index) => {
      this.runtime.exports.rnnat_model_state(this.address, index, about, about + 4);
      const [rows, features] = this.runtime.ints(about, 2);
      return { rows, features };
    });
  }

  /**
   * Runs whole sequences: x [time, batch, features], or for several inputs an object of such arrays by
   * name. Returns y and its shape, all outputs by name, and the state at each row's end.
   */
  run(x, { batch = 1, lengths, state } = {}) {
    this.#living();
    whole("batch", batch, 1);
    const arrays = inOrder(this.inputs, x);
    const time = this.#time(arrays, batch);
    const memory = new CallArrays(this.runtime);
    try {
      const call = {
        time,
        batch,
        inputs: memory.ints(arrays.map((a) => (a instanceof Int32Array ? memory.ints(a) : memory.floats(a)))),
        lengths: lengths ? memory.ints(checkedLengths(lengths, batch)) : 0,
        stateIn: state ? memory.ints(this.#checkedState(state, batch).map((a) => memory.floats(a))) : 0,
      };
      return this.#results(call, memory);
    } finally {
      memory.free();
    }
  }

  #results({ time, batch, inputs, lengths, stateIn }, memory) {
    const { exports } = this.runtime;
    const steps = memory.room(this.outputs.length);
    const doing = "this run failed";
    check(exports.rnnat_js_steps(this.address, this.outputs.length, time, batch, lengths, stateIn, steps), doing);
    const shapes = this.outputs.map((output, i) => {
      const count = this.runtime.ints(steps, this.outputs.length)[i];
      return output.hasTime ? [count, batch, output.features] : [batch, output.features];
    });
    const places = shapes.map((shape) => memory.room(sizeOf(shape)));
    const stateShapes = this.states.map(({ rows, features }) => [rows, batch, features]);
    const stateOut = stateShapes.map((shape) => memory.room(sizeOf(shape)));
    const status = exports.rnnat_js_run(
      this.address, time, batch, inputs, memory.ints(places), lengths, stateIn, memory.ints(stateOut));
    check(status, doing);
    const copy = (address, shape) => this.runtime.floats(address, sizeOf(shape)).slice();
    const outputs = {};
    this.outputs.forEach(({ name }, i) => {
      outputs[name] = { data: copy(places[i], shapes[i]), shape: shapes[i] };
    });
    const first = outputs[this.outputs[0].name];
    return {
      y: first.data,
      shape: first.shape,
      outputs,
      state: stateShapes.map((shape, i) => copy(stateOut[i], shape)),
    };
  }

  #time(arrays, batch) {
    let time;
    this.inputs.forEach((input, i) => {
      const row = batch * widthOf(input);
      const steps = arrays[i].length / row;
      const expected = input.hasTime ? `a multiple of ${row}` : `${row}`;
      if (!Number.isInteger(steps) || (!input.hasTime && steps !== 1)) {
        throw new RangeError(
          `input "${input.name}": expected ${expected} numbers for a batch of ${batch}, got ${arrays[i].length}`);
      }
      if (!input.hasTime) return;
      if (time !== undefined && time !== steps) {
        throw new RangeError(`input "${input.name}": expected ${time} steps as of the first input, got ${steps}`);
      }
      time = steps;
    });
    return time ?? 0;
  }

  #checkedState(state, batch) {
    if (state.length !== this.states.length) {
      throw new RangeError(`expected a state of ${this.states.length} arrays, got ${state.length}`);
    }
    this.states.forEach(({ rows, features }, i) => {
      const wanted = rows * batch * features;
      if (state[i].length !== wanted) {
        throw new RangeError(`state ${i}: expected ${wanted} numbers, got ${state[i].length}`);
      }
    });
    return state;
  }

  /** A stream: the model a few steps at a time. */
  stream({ batch = 1, maxSteps = 1 } = {}) {
    this.#living();
    return new Stream(this, whole("batch", batch, 1), whole("maxSteps", maxSteps, 1));
  }

  /** Gives its memory back; streams of it must not be used afterwards. */
  free() {
    if (this.address === 0) return;
    forgotten.unregister(this);
    this.runtime.exports.rnnat_model_free(this.address);
    this.address = 0;
  }

  #living() {
    if (this.address === 0) throw new Error("this model was freed");
  }
}

if (Symbol.dispose) Model.prototype[Symbol.dispose] = Model.prototype.free;

function sizeOf(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

function whole(name, value, least) {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`${name}: expected a whole number from ${least} on, got ${value}`);
  }
  return value;
}

function checkedLengths(lengths, batch) {
  if (lengths.length !== batch) {
    throw new RangeError(`lengths: expected one for each of ${batch} rows, got ${lengths.length}`);
  }
  for (const length of lengths) whole("lengths", length, 0);
  return lengths;
}
