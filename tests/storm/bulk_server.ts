/**
 * The service for bulk streams: it echoes bytes, and says what it has received.
 *
 * Its arguments are a port and a version. A client sends `bulk COUNT`, LF, and that many bytes; it
 * gets the version, LF, the same bytes, and then `VERSION CHECKSUM`, LF, with the CRC-32 of what has
 * arrived here. So each direction is checked for itself.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { writeError } from "../../lib/standard_streams.ts";

const [port, version] = Deno.args;
const sockets = new Set<Socket>();
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  // A client that is cut is counted on its own side.
  socket.on("error", () => {});
  echo(socket);
});
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 }, () => {
  const address = server.address() as { port: number };
  writeError(`bulk-server: Listening on port ${address.port}`);
});
Deno.addSignalListener("SIGTERM", () => {
  server.close();
  for (const socket of sockets) socket.destroy();
});

function echo(socket: Socket): void {
  let head = Buffer.alloc(0);
  let left: number | null = null;
  let checksum = 0;
  socket.on("data", (piece: Buffer) => {
    if (left === null) {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf("\n");
      if (end === -1) return;
      left = Number(/^bulk (\d+)$/.exec(head.toString("latin1", 0, end))?.[1]);
      piece = head.subarray(end + 1);
      socket.write(`${version}\n`);
    }
    left -= piece.length;
    // Also for a head that is none, where it is no number.
    if (!(left >= 0)) return void socket.resetAndDestroy();
    checksum = crc32(piece, checksum);
    if (piece.length > 0 && !socket.write(piece)) socket.pause();
    if (left === 0) socket.end(`${version} ${checksum}\n`);
  });
  socket.on("drain", () => socket.resume());
  socket.on("end", () => left !== 0 && socket.resetAndDestroy());
}
