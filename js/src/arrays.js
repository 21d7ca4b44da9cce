/** Arrays of a call in the program's memory: each is given an address, all are freed together. */
export class CallArrays {
  constructor(runtime) {
    this.runtime = runtime;
    this.addresses = [];
  }

  /** Room for `length` elements of four bytes. */
  room(length) {
    const address = this.runtime.allocate(4 * length);
    this.addresses.push(address);
    return address;
  }

  floats(values) {
    const address = this.room(values.length);
    this.runtime.floats(address, values.length).set(values);
    return address;
  }

  ints(values) {
    const address = this.room(values.length);
    this.runtime.ints(address, values.length).set(values);
    return address;
  }

  free() {
    for (const address of this.addresses) this.runtime.exports.free(address);
  }
}

const KINDS = { true: "Int32Array of indices", false: "Float32Array of features" };

/**
 * Arrays by name, in the order of the model's inputs: of a model with one, that array alone will do.
 * Throws where one is missing, too many, or of another type.
 */
export function inOrder(inputs, given) {
  const alone = ArrayBuffer.isView(given) || Array.isArray(given);
  if (alone && inputs.length !== 1) {
    throw new TypeError(`expected an object with arrays ${namesOf(inputs)}, got one array`);
  }
  const byName = alone ? { [inputs[0].name]: given } : given;
  if (byName === null || typeof byName !== "object") {
    throw new TypeError(`expected ${KINDS[inputs[0].indices > 0]}, got ${typeof given}`);
  }
  for (const name of Object.keys(byName)) {
    if (!inputs.some((input) => input.name === name)) {
      throw new TypeError(`expected inputs ${namesOf(inputs)}, got "${name}"`);
    }
  }
  return inputs.map((input) => {
    const values = byName[input.name];
    const wanted = input.indices > 0 ? Int32Array : Float32Array;
    if (Array.isArray(values)) return wanted.from(values);
    if (!(values instanceof wanted)) {
      throw new TypeError(
        `input "${input.name}": expected ${KINDS[input.indices > 0]}, got ${values?.constructor?.name ?? values}`,
      );
    }
    return values;
  });
}

export function namesOf(values) {
  return values.map((value) => `"${value.name}"`).join(", ");
}

/** Elements of one step and row. */
export function widthOf(input) {
  return input.indices > 0 ? 1 : input.features;
}
