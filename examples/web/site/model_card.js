/** What a model is, and how long a step of it takes here. */

const REAL = { denoiser: 0.01, detector: 0.032 }; // seconds of sound that a step hears

/** Microseconds of a step: the least of many short measurements. */
export function measure(model) {
  const stream = model.stream();
  stream.inputs.forEach((view, i) => {
    if (view instanceof Float32Array) view.forEach((_, k) => (view[k] = Math.sin(k + i)));
  });
  let least = Infinity;
  const end = performance.now() + 150;
  while (performance.now() < end) {
    const begin = performance.now();
    for (let i = 0; i < 50; ++i) stream.process();
    least = Math.min(least, (performance.now() - begin) / 50);
  }
  stream.free();
  return 1000 * least;
}

/** A row of the table of speeds; `kind` is "denoiser", "detector" or none of them. */
export function rowOf(name, model, kind) {
  const row = document.createElement("tr");
  const micros = model.streamable ? measure(model) : NaN;
  const factor = REAL[kind] ? (micros / 1e6 / REAL[kind]).toFixed(4) : "–";
  const cells = [
    name,
    model.streamable ? `${micros.toFixed(1)} µs` : "no stream",
    factor,
    model.numLayers,
    model.numParameters.toLocaleString("en"),
  ];
  cells.forEach((text, i) => {
    const cell = document.createElement(i === 0 ? "th" : "td");
    if (i === 0) cell.scope = "row";
    cell.textContent = text;
    row.append(cell);
  });
  return row;
}

const shapeOf = ({ name, features, indices, hasTime }) =>
  `${name} [${[...(hasTime ? ["time"] : []), "batch", ...(indices > 0 ? [] : [features])].join(", ")}]` +
  (indices > 0 ? `, indices below ${indices}` : "");

/** Fills a list with what a dropped model is; its use here is said by `use`. */
export function describe(list, name, model, use) {
  const states = model.states.map(({ rows, features }) => `[${rows}, batch, ${features}]`);
  const rows = {
    File: name,
    Takes: model.inputs.map(shapeOf).join("; "),
    Gives: model.outputs.map(shapeOf).join("; "),
    State: states.length > 8 ? `${states.length} arrays` : states.join(" ") || "none",
    Layers: model.numLayers,
    Parameters: model.numParameters.toLocaleString("en"),
    Memory: `${(model.memory / 1e6).toFixed(2)} MB`,
    "Used here": use,
  };
  list.replaceChildren(
    ...Object.entries(rows).flatMap(([term, text]) => {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = text;
      return [dt, dd];
    }),
  );
}
