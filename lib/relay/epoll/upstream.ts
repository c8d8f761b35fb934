import { isIP } from "node:net";
import type { Address } from "../../address.ts";
import { describeError, EAFNOSUPPORT, errno } from "../../linux/errno.ts";
import { libc } from "../../linux/libc.ts";
import { familyOf, newSocket } from "../../linux/socket.ts";
import { encode } from "../../linux/socket_address.ts";
import { messageOf } from "../../message_of.ts";
import { cannotBeUsed, type Listening, whyItself } from "../unusable.ts";
import type { Upstream } from "../upstream.ts";
import { type Target, TargetMemory } from "./target.ts";

/** Writes where to connect for the threads, as the kernel takes it. */
export class TargetWriter {
  readonly memory = new TargetMemory();
  #last: Target | null = null;
  #unusable = "";

  /** Why there is no address among those of the upstream that can be used; "" if there is one. */
  get unusable(): string {
    return this.#unusable;
  }

  /**
   * Writes it, if it is something else than before.
   *
   * @returns whether it is
   */
  write({ number, hosts, address: { port } }: Upstream): boolean {
    this.#unusable = "";
    const addresses = (hosts ?? []).flatMap((host) => {
      try {
        return [encode({ host, port })];
      } catch (error) {
        this.#unusable = messageOf(error);
        return [];
      }
    });
    if (addresses.length > 0) this.#unusable = "";
    const target = { number, lookedUp: hosts !== null, addresses };
    if (this.#last !== null && isSame(this.#last, target)) return false;
    this.#last = target;
    this.memory.write(target);
    return true;
  }
}

/**
 * Why a service cannot be the upstream of a relay that listens there, whether or not it answers;
 * `null` if it can.
 */
export async function whyUnusable(
  address: Address,
  listening: readonly Listening[],
): Promise<string | null> {
  if (isIP(address.host)) {
    try {
      const descriptor = newSocket(familyOf(encode(address)));
      if (descriptor >= 0) libc.close(descriptor);
      else if (errno() === EAFNOSUPPORT) return cannotBeUsed(address, describeError(EAFNOSUPPORT));
    } catch (error) {
      return cannotBeUsed(address, messageOf(error));
    }
  }
  return await whyItself(address, listening);
}

function isSame(one: Target, other: Target): boolean {
  return one.number === other.number && one.lookedUp === other.lookedUp &&
    `${one.addresses}` === `${other.addresses}`;
}
