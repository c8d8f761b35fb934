import { libc } from "../../linux/libc.ts";
import { localAddress, MSG_PEEK, peerName } from "../../linux/socket.ts";
import { decode } from "../../linux/socket_address.ts";
import { isOfNetwork, type Network } from "../../network.ts";
import {
  decodeHeader,
  encodeHeader,
  type Endpoints,
  LONGEST_HEADER,
  type ProxyHeader,
  type ProxyVersion,
} from "../proxy_protocol.ts";

const buffer = new Uint8Array(LONGEST_HEADER);

/** The headers of the PROXY protocol: what clients begin with, and what the service is told. */
export class Headers {
  /** Whether there are clients that begin with one. */
  readonly areExpected: boolean;
  readonly #from: readonly Network[];
  readonly #version: ProxyVersion | null;

  /**
   * @param from the networks whose clients begin with one
   * @param version of what the service is sent; `null` if it is sent none
   */
  constructor(from: readonly Network[], version: ProxyVersion | null) {
    this.#from = from;
    this.#version = version;
    this.areExpected = from.length > 0;
  }

  /** Whether a client begins with one. @param peer its address as the kernel has it */
  isExpectedFrom(peer: Uint8Array | undefined): boolean {
    if (!this.areExpected || peer === undefined) return false;
    const host = decode(peer)?.host ?? "";
    return this.#from.some((network) => isOfNetwork(network, host));
  }

  /**
   * Takes the one that a client has sent: not a byte, unless all of it is there.
   *
   * @returns as {@linkcode decodeHeader}
   */
  take(client: number): ProxyHeader | string | null {
    const count = libc.recv(client, buffer, LONGEST_HEADER, MSG_PEEK);
    if (count <= 0) return null;
    const header = decodeHeader(buffer.subarray(0, count));
    if (header !== null && typeof header !== "string") {
      libc.recv(client, buffer, header.length, 0);
    }
    return header;
  }

  /**
   * What the service is told before anything else.
   *
   * @param endpoints what the client's own header said, if it did
   * @returns `null` for nothing
   */
  toSend(client: number, endpoints: Endpoints | null): Uint8Array<ArrayBuffer> | null {
    if (this.#version === null) return null;
    return encodeHeader(this.#version, endpoints ?? endpointsOf(client));
  }
}

/** Between whom a client's connection is; `null` if it has been reset. */
function endpointsOf(client: number): Endpoints | null {
  const peer = peerName(client);
  const source = peer === null ? null : decode(peer);
  return source === null ? null : { source, destination: localAddress(client) };
}
