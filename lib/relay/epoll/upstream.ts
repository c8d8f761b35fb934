import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Address, formatAddress } from "../../address.ts";
import { encode } from "../../linux/socket_address.ts";
import { messageOf } from "../../message_of.ts";
import { TargetMemory } from "./target.ts";

/** Where new connections go: its name, and the addresses that it has right now. */
export class Upstream {
  readonly memory = new TargetMemory();
  readonly #changed: () => void;
  #address: Address;
  #generation = 0;
  #isLookingUp = false;
  #error = "";

  /** @param changed is called when the threads must read where to connect anew */
  constructor(address: Address, changed: () => void) {
    this.#address = address;
    this.#changed = changed;
    this.lookUp();
  }

  /** As the command line has it. */
  get name(): string {
    return formatAddress(this.#address);
  }

  /** Why there is no address, or "" if there is one. */
  get error(): string {
    return this.#error;
  }

  get address(): Address {
    return this.#address;
  }

  /** Sends connections elsewhere. */
  set address(address: Address) {
    this.#address = address;
    this.#generation++;
    this.#isLookingUp = false;
    this.#error = "";
    this.lookUp();
  }

  /**
   * Looks the name up as the system does, hosts file included. Until that is done nobody goes
   * anywhere: what the name meant before may be another machine.
   */
  lookUp(): void {
    const { host } = this.#address;
    if (isIP(host.split("%")[0] ?? "")) return this.#write([host]);
    if (this.#isLookingUp) return;
    this.#isLookingUp = true;
    this.#write(null);
    const generation = this.#generation;
    const done = (hosts: string[], error: string) => {
      if (generation !== this.#generation) return;
      this.#isLookingUp = false;
      this.#error = error;
      this.#write(hosts);
    };
    lookup(host, { all: true, verbatim: true }).then(
      // One address may be found once for each type of socket.
      (found) => done([...new Set(found.map(({ address }) => address))], ""),
      (error) => done([], messageOf(error)),
    );
  }

  #write(hosts: readonly string[] | null): void {
    const { port } = this.#address;
    this.memory.write({
      generation: this.#generation,
      lookedUp: hosts !== null,
      addresses: (hosts ?? []).map((host) => encode({ host, port })),
    });
    this.#changed();
  }
}
