/**
 * The service of the benchmark, as a process of its own: what a client wants it says with its first
 * byte. Listens on every port that it is given, and ends with stdin.
 *
 * One thread with one loop over epoll, as light as the load.
 *
 * @module
 */

import { writeAll } from "../../../lib/standard_streams.ts";
import { Epoll, EPOLLIN, EPOLLOUT } from "../../../lib/linux/epoll.ts";
import { EAGAIN, errno } from "../../../lib/linux/errno.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { raiseDescriptorLimit } from "../../../lib/linux/resource_limit.ts";
import {
  listen,
  MSG_NOSIGNAL,
  sendAtOnce,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from "../../../lib/linux/socket.ts";
import { BLOCK } from "./bulk.ts";
import { DESCRIPTORS, MSG_TRUNC, ROOM } from "./client.ts";
import { WANTS } from "./protocol.ts";

/** What a descriptor is, where it is not a connection that has said what it wants. */
const STDIN = 0;
const LISTENER = 1;
const NEW = 2;

/** By descriptor: one of the above or of {@linkcode WANTS}. */
const kinds = new Uint8Array(DESCRIPTORS);
/** Lengths of addresses that nobody wants to know. */
const address = new Uint8Array(16);
const addressLength = new Uint8Array(4);

raiseDescriptorLimit(DESCRIPTORS);
const epoll = new Epoll(1024);
epoll.add(0, EPOLLIN, STDIN);
for (const port of Deno.args.map(Number)) {
  const descriptor = listen({ host: "127.0.0.1", port }, false, 4096);
  // What is accepted inherits it.
  sendAtOnce(descriptor);
  watch(descriptor, LISTENER);
}
writeAll(Deno.stdout, "Listening\n");

for (;;) {
  const ready = epoll.wait(-1);
  for (let index = 0; index < ready; index++) {
    const descriptor = epoll.dataAt(index);
    if (descriptor === STDIN) Deno.exit();
    serve(descriptor, kinds[descriptor] as number);
  }
}

function serve(descriptor: number, kind: number): void {
  switch (kind) {
    case LISTENER:
      return acceptFrom(descriptor);
    case NEW:
      return echo(descriptor, true);
    case WANTS.echo:
      return echo(descriptor, false);
    case WANTS.upload:
      return swallow(descriptor);
    case WANTS.download:
      return pour(descriptor);
  }
}

function acceptFrom(listener: number): void {
  addressLength[0] = address.length;
  const descriptor = libc.accept4(listener, address, addressLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) watch(descriptor, NEW);
}

function echo(descriptor: number, isNew: boolean): void {
  const received = libc.recv(descriptor, ROOM, ROOM.length, 0);
  if (received <= 0) return closeIfOver(descriptor, received);
  if (isNew) {
    const want = kinds[descriptor] = ROOM[0] as number;
    if (want === WANTS.upload) return;
    if (want === WANTS.download) {
      epoll.remove(descriptor);
      return epoll.add(descriptor, EPOLLOUT, descriptor);
    }
  }
  // Messages are small: what they fill was empty.
  if (libc.send(descriptor, ROOM, received, MSG_NOSIGNAL) !== received) libc.close(descriptor);
}

/** A piece at a time, so that no client waits for long behind another. */
function pour(descriptor: number): void {
  closeIfOver(descriptor, libc.send(descriptor, BLOCK, BLOCK.length, MSG_NOSIGNAL));
}

function swallow(descriptor: number): void {
  closeIfOver(descriptor, libc.recv(descriptor, ROOM, ROOM.length, MSG_TRUNC));
}

function watch(descriptor: number, kind: number): void {
  kinds[descriptor] = kind;
  epoll.add(descriptor, EPOLLIN, descriptor);
}

/** @param result of a call that moves bytes: how many, or a negative number for an error */
function closeIfOver(descriptor: number, result: number): void {
  if (result === 0 || (result < 0 && errno() !== EAGAIN)) libc.close(descriptor);
}
