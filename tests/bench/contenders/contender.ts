/** Where a contender is to listen, and what it may use. */
export interface Place {
  /** A free port on 127.0.0.1. */
  readonly port: number;
  /** The port of the service behind it, on 127.0.0.1. */
  readonly upstreamPort: number;
  /** An empty directory for its files. */
  readonly directory: string;
}

/** Something that carries connections to the service. */
export interface Contender {
  readonly name: string;
  /** The service itself, a proxy of ours, or one that ours is compared with. */
  readonly kind: "direct" | "ours" | "peer";
  /** The command that tells its version; one that is not there tells that it is not installed. */
  readonly version: readonly string[];
  /** The most idle connections that it is made to have, where those of the row are too many. */
  readonly mostIdle?: number;
  /** Writes what files it needs, and gives the command that runs it in the foreground. */
  prepare(place: Place): Promise<readonly string[]>;
}
