/** A file server that remembers what was asked for, and can be cut off. */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".wav": "audio/wav",
};

export async function serve(folder) {
  const state = { online: true, asked: [] };
  const server = createServer(async (request, response) => {
    if (!state.online) return request.socket.destroy();
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    state.asked.push(path);
    const name = normalize(path).replace(/^\/+/, "") || "index.html";
    try {
      const body = await readFile(join(folder, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(state, { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() });
}
