/** Sound through the worklet: a whole recording at once, or the microphone live. */
import { compileProgram } from "./rnn-native/index.js";

export const RATE = 16000;
export const HOP = 160;
const LATENCY = 128; // of the worklet: 160 less what 160 and 128 have in common
const LIVE_SECONDS = 12;

async function nodeOf(context, models, options) {
  await context.audioWorklet.addModule(new URL("./processor.js", import.meta.url));
  const node = new AudioWorkletNode(context, "studio", {
    numberOfInputs: 1,
    outputChannelCount: [1],
    processorOptions: { module: await compileProgram(), models, ...options },
  });
  node.addEventListener("processorerror", () => console.error("the worklet stopped"));
  return node;
}

/** Samples at 16 kHz, mono, of the bytes of any sound file that the browser reads. */
export async function decode(bytes) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const sound = await context.decodeAudioData(bytes.slice(0));
  const mixed = new OfflineAudioContext(1, Math.max(1, Math.ceil(sound.duration * RATE)), RATE);
  const source = mixed.createBufferSource();
  source.buffer = sound;
  source.connect(mixed.destination);
  source.start();
  return (await mixed.startRendering()).getChannelData(0);
}

/** A whole recording: { clean, traces }, clean as long as the samples and in time with them. */
export async function denoise(samples, models) {
  const late = LATENCY + HOP; // the worklet's, and the overlap's
  const frames = Math.floor((samples.length + late) / HOP);
  const end = Math.ceil((samples.length + late) / 128) * 128;
  const context = new OfflineAudioContext(1, end + 128, RATE);
  const node = await nodeOf(context, models, { frames: frames + 1, muted: false });
  const buffer = context.createBuffer(1, samples.length, RATE);
  buffer.copyToChannel(samples, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(node).connect(context.destination);
  source.start();
  // It answers only while the context is there: at the end, but for one piece, all waits for it.
  const traces = context.suspend(end / RATE).then(async () => {
    const answer = new Promise((resolve) => {
      node.port.onmessage = ({ data }) => resolve(data);
    });
    node.port.postMessage("read");
    const read = await answer;
    await context.resume();
    return read;
  });
  const out = (await context.startRendering()).getChannelData(0);
  return { clean: out.slice(late, late + samples.length), traces: await traces };
}

/** The microphone until `stop`; `heard` gets traces every `every` milliseconds. */
export async function listen(models, { heard, aloud, every }) {
  const context = new AudioContext({ sampleRate: RATE });
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const node = await nodeOf(context, models, { frames: LIVE_SECONDS * 100, muted: !aloud });
    node.port.onmessage = ({ data }) => heard(data);
    context.createMediaStreamSource(media).connect(node).connect(context.destination);
    const timer = setInterval(() => node.port.postMessage("read"), every);
    return {
      async stop() {
        clearInterval(timer);
        node.port.postMessage("stop");
        for (const track of media.getTracks()) track.stop();
        await context.close();
      },
    };
  } catch (error) {
    for (const track of media?.getTracks() ?? []) track.stop();
    await context.close();
    throw error;
  }
}

/** A WAV file, 16 bits, mono, 16 kHz. */
export function wavOf(samples) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, letters) => [...letters].forEach((letter, i) => bytes.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, RATE, true);
  bytes.setUint32(28, 2 * RATE, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) => bytes.setInt16(44 + 2 * i, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true));
  return new Blob([bytes.buffer], { type: "audio/wav" });
}
