/**
 * The service of the benchmark, as a process of its own: the first byte that a client sends says what
 * it wants. `e` is answered by all that it sends; `d` by bytes without an end.
 *
 * @module
 */

import { createServer, type Socket } from "node:net";

const BLOCK = new Uint8Array(256 * 1024);

const server = createServer({ noDelay: true }, (client) => {
  client.on("error", () => client.destroy());
  client.once("data", (first: Uint8Array) => {
    if (first[0] === "d".charCodeAt(0)) return pour(client);
    client.write(first);
    client.on("data", (data: Uint8Array) => void client.write(data));
  });
});

function pour(client: Socket): void {
  const fill = () => {
    while (!client.destroyed && client.write(BLOCK));
  };
  client.on("drain", fill);
  fill();
}

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  const { port } = server.address() as { port: number };
  // deno-lint-ignore no-console
  console.log(`Listening on port ${port}`);
});
