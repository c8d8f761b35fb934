import type { CloseReason, Connection } from "../relay.ts";
import type { Failures, Report } from "./messages.ts";

/** What a thread has to tell, collected into one message for each turn of its loop. */
export class Reporting {
  readonly #tell: (report: Report) => void;
  #report: Report | null = null;

  /** @param tell sends a report to the main thread */
  constructor(tell: (report: Report) => void) {
    this.#tell = tell;
  }

  /** What is told at the end of this turn, to be added to. */
  get report(): Report {
    return this.#report ??= {};
  }

  /** Tells what there is to tell. */
  send(): void {
    if (this.#report === null) return;
    const report = this.#report;
    this.#report = null;
    this.#tell(report);
  }

  /** A connection began. */
  opened(connection: Connection): void {
    (this.report.opened ??= []).push(connection);
  }

  /** A connection is over. */
  closed(connection: Connection, reason: CloseReason): void {
    (this.report.closed ??= []).push({ connection, reason });
  }

  /** A client who was held is being served, after so many milliseconds. */
  released(held: number): void {
    (this.report.released ??= []).push(held);
  }

  /** A client did not begin with the header that it had to send. */
  badHeader(peer: string, why: string): void {
    (this.report.badHeaders ??= []).push({ peer, why });
  }

  /** No address of the service could be connected, by the number of the last error. */
  roundFailed(error: number): void {
    count(this.report.failures ??= [], error);
  }

  /** A client was given up, because the service could not be reached. */
  gaveUp(error: number): void {
    count(this.report.gaveUp ??= [], error);
  }
}

function count(failures: Failures[], error: number): void {
  const same = failures.find((failure) => failure.error === error);
  if (same === undefined) failures.push({ error, count: 1 });
  else same.count++;
}
