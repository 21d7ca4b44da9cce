/** What went wrong, by the status that the library returns: docs of rnn_native.h. */
const MEANINGS = {
  1: ["ARGUMENT", "an argument has no meaning here"],
  2: ["FORMAT", "these bytes are no .safetensors file that describes its layers; `rnn-native convert` makes one of a model"],
  3: ["UNSUPPORTED", "this build has not what the model needs: float64, float16 or bfloat16 weights, and streams of layers that run in reverse, are not in the browser's"],
  4: ["SHAPE", "an array of the file has not the size that its layer needs"],
  5: ["NOT_FOUND", "the file lacks an array that a layer needs"],
  6: ["OVERFLOW", "a size is too large for 32 bits"],
  7: ["NO_MEMORY", "there is no memory left"],
  8: ["TOO_SMALL", "an array is too small"],
  10: ["DTYPE", "the model is of another precision"],
  11: ["LENGTH", "a length is not in 0 to the number of steps, or states are at different steps of a stride"],
  12: ["INDEX", "an index is not below the number of embeddings"],
  13: ["INPUT", "features were given to a model of indices, or the other way round"],
};

/** An error of the library: `code` is its name, such as "FORMAT", `status` its number. */
export class RnnNativeError extends Error {
  constructor(status, doing, reason = "") {
    const [code, meaning] = MEANINGS[status] ?? ["UNKNOWN", `status ${status}`];
    super(`${doing}: ${reason ? `${reason}; ` : ""}${meaning} (${code})`);
    this.name = "RnnNativeError";
    this.code = code;
    this.status = status;
  }
}

/** Throws unless a status is 0. */
export function check(status, doing) {
  if (status !== 0) throw new RnnNativeError(status, doing);
}
