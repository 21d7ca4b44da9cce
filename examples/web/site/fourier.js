/** The Fourier transform of 320 real samples, forth and back, in arrays that are made once. */

const SIZE = 320;
const PARTS = 5; // 320 = 5 x 64
const PART = 64;

export const BINS = SIZE / 2 + 1;

const cosines = Float64Array.from({ length: SIZE }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const sines = Float64Array.from({ length: SIZE }, (_, i) => Math.sin((2 * Math.PI * i) / SIZE));
const reversed = Uint8Array.from({ length: PART }, (_, i) => {
  let bits = 0;
  for (let b = 0; b < 6; ++b) bits |= ((i >> b) & 1) << (5 - b);
  return bits;
});

export class Fourier {
  constructor() {
    this.re = new Float64Array(SIZE);
    this.im = new Float64Array(SIZE);
    this.partRe = new Float64Array(SIZE);
    this.partIm = new Float64Array(SIZE);
  }

  /** re + i im [320] becomes its transform; inverse: with the other sign, and not divided. */
  #transform(sign) {
    const { re, im, partRe, partIm } = this;
    for (let r = 0; r < PARTS; ++r) {
      const begin = r * PART;
      for (let i = 0; i < PART; ++i) {
        partRe[begin + reversed[i]] = re[PARTS * i + r];
        partIm[begin + reversed[i]] = im[PARTS * i + r];
      }
      this.#butterflies(begin, sign);
    }
    for (let k = 0; k < SIZE; ++k) {
      let sumRe = 0;
      let sumIm = 0;
      for (let r = 0; r < PARTS; ++r) {
        const turn = (r * k) % SIZE;
        const at = r * PART + (k % PART);
        const c = cosines[turn];
        const s = -sign * sines[turn];
        sumRe += partRe[at] * c - partIm[at] * s;
        sumIm += partRe[at] * s + partIm[at] * c;
      }
      re[k] = sumRe;
      im[k] = sumIm;
    }
  }

  /** The transform of 64, in place, of what is in the order of reversed bits. */
  #butterflies(begin, sign) {
    const { partRe, partIm } = this;
    for (let half = 1; half < PART; half *= 2) {
      const turns = SIZE / (2 * half);
      for (let block = begin; block < begin + PART; block += 2 * half) {
        for (let i = 0; i < half; ++i) {
          const c = cosines[i * turns];
          const s = -sign * sines[i * turns];
          const low = block + i;
          const high = low + half;
          const re = partRe[high] * c - partIm[high] * s;
          const im = partRe[high] * s + partIm[high] * c;
          partRe[high] = partRe[low] - re;
          partIm[high] = partIm[low] - im;
          partRe[low] += re;
          partIm[low] += im;
        }
      }
    }
  }

  /** Of `samples` times `window`: bins 0 to 160 are in re and im. */
  forward(samples, window) {
    for (let i = 0; i < SIZE; ++i) {
      this.re[i] = samples[i] * window[i];
      this.im[i] = 0;
    }
    this.#transform(1);
  }

  /** Of bins 0 to 160 in re and im: the samples are in re. */
  backward() {
    const { re, im } = this;
    im[0] = 0;
    im[SIZE / 2] = 0;
    for (let k = BINS; k < SIZE; ++k) {
      re[k] = re[SIZE - k];
      im[k] = -im[SIZE - k];
    }
    this.#transform(-1);
    for (let i = 0; i < SIZE; ++i) re[i] /= SIZE;
  }
}
