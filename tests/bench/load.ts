/**
 * The clients of the benchmark.
 *
 * @module
 */

import { connect, type Socket } from "node:net";

/** How much was done, in how many seconds. */
export interface Done {
  readonly count: number;
  readonly seconds: number;
}

/** Sends a small message, waits for its echo, and again, on so many connections. */
export function requests(port: number, connections: number, seconds: number): Promise<Done> {
  const message = new TextEncoder().encode("e".repeat(64));
  return during(seconds, connections, (count) => {
    const socket = open(port);
    let missing = message.length;
    socket.on("connect", () => socket.write(message));
    socket.on("data", (data: Uint8Array) => {
      missing -= data.length;
      if (missing > 0) return;
      count(1);
      missing = message.length;
      socket.write(message);
    });
    return () => socket.destroy();
  });
}

/** Connects, asks once, closes, and again, so many at a time. */
export function connections(port: number, atATime: number, seconds: number): Promise<Done> {
  return during(seconds, atATime, (count) => {
    let stopped = false;
    let socket: Socket;
    const again = () => {
      if (stopped) return;
      socket = open(port);
      socket.on("connect", () => socket.write("e"));
      socket.once("data", () => {
        count(1);
        socket.end();
      });
      socket.once("close", again);
    };
    again();
    return () => {
      stopped = true;
      socket.destroy();
    };
  });
}

/** Reads as fast as it comes, on so many connections; counts bytes. */
export function download(port: number, streams: number, seconds: number): Promise<Done> {
  return during(seconds, streams, (count) => {
    const socket = open(port);
    socket.on("connect", () => socket.write("d"));
    socket.on("data", (data: Uint8Array) => count(data.length));
    return () => socket.destroy();
  });
}

function open(port: number): Socket {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => socket.destroy());
  return socket;
}

async function during(
  seconds: number,
  clients: number,
  client: (count: (amount: number) => void) => () => void,
): Promise<Done> {
  let total = 0;
  const started = performance.now();
  const stops = Array.from({ length: clients }, () => client((amount) => total += amount));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const done = { count: total, seconds: (performance.now() - started) / 1000 };
  for (const stop of stops) stop();
  return done;
}
