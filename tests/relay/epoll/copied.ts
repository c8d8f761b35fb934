import { duplicate } from "../../../lib/linux/duplicate.ts";
import type { Changed, MovedDirection, Told } from "../../../lib/relay/epoll/moved.ts";

/** What is told of connections, as another process would be given it: with descriptors of its own. */
export function copied<Some extends Told>(told: Some): Some {
  return {
    ...told,
    connections: told.connections.map((one) => ({
      ...one,
      ...copiedPipes(one),
      client: copy(one.client),
      upstream: copy(one.upstream),
    })),
    changed: told.changed.map((one) => ({ ...one, ...copiedPipes(one) })),
  };
}

function copiedPipes({ up, down }: Changed) {
  return { up: copiedPipe(up), down: copiedPipe(down) };
}

function copiedPipe(direction: MovedDirection | null): MovedDirection | null {
  if (direction === null || direction.pipe === null) return direction;
  const { pipe } = direction;
  return { ...direction, pipe: { ...pipe, reader: copy(pipe.reader), writer: copy(pipe.writer) } };
}

function copy(descriptor: number): number {
  return descriptor === -1 ? -1 : duplicate(descriptor);
}
