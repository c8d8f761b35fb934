/**
 * Deploys the way Disnix does (libdeploy/deploy.c, locking.c and transition.c), on one machine.
 *
 * @module
 */

import type { Finished } from "../../support/programs.ts";
import type { Machine } from "./machine.ts";
import { identityOf, type Service } from "./service.ts";

/** An operation on a service that is over. Times are in milliseconds, of `performance.now()`. */
export interface Call extends Finished {
  readonly operation: string;
  readonly service: Service;
  readonly began: number;
  readonly ended: number;
}

/** A deployment that is over. */
export interface Deployment {
  readonly succeeded: boolean;
  /** What was called, in this order. */
  readonly calls: readonly Call[];
}

/**
 * Deploys services in the place of others.
 *
 * @param before those that there are, each after those that it depends on
 * @param after those that there will be, likewise
 * @param between is called once everything is locked
 */
export async function deploy(
  machine: Machine,
  before: readonly Service[],
  after: readonly Service[],
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<Deployment> {
  const calls: Call[] = [];
  const call = async (operation: string, service: Service): Promise<boolean> => {
    const began = performance.now();
    await using running = await machine.operate(service, operation);
    const finished = await running.finished();
    calls.push({ ...finished, operation, service, began, ended: performance.now() });
    return finished.code === 0;
  };
  /** Goes on after a failure. */
  const callAll = async (operation: string, services: readonly Service[]): Promise<boolean> => {
    let succeeded = true;
    for (const service of services) succeeded = await call(operation, service) && succeeded;
    return succeeded;
  };
  /** Stops at a failure. @returns those for which it succeeded */
  const callEach = async (operation: string, services: readonly Service[]): Promise<Service[]> => {
    const done: Service[] = [];
    for (const service of services) {
      if (!await call(operation, service)) break;
      done.push(service);
    }
    return done;
  };
  const unlockable = (services: readonly Service[]) =>
    services.filter(({ type }) => type === "wrapper");
  const over = (succeeded: boolean): Deployment => ({ succeeded, calls });

  if (!await callAll("lock", unlockable(before))) {
    await callAll("unlock", unlockable(before));
    return over(false);
  }
  await between();
  const obsolete = without(before, after).toReversed();
  const fresh = without(after, before);

  const stopped = await callEach("deactivate", obsolete);
  if (stopped.length < obsolete.length) {
    await callEach("activate", stopped.toReversed());
    await callAll("unlock", unlockable(before));
    return over(false);
  }
  const started = await callEach("activate", fresh);
  if (started.length < fresh.length) {
    // The one that failed is not deactivated.
    await callEach("deactivate", started.toReversed());
    await callEach("activate", obsolete.toReversed());
    await callAll("unlock", unlockable(before));
    return over(false);
  }
  return over(await callAll("unlock", unlockable(after)));
}

function without(services: readonly Service[], others: readonly Service[]): Service[] {
  const known = new Set(others.map(identityOf));
  return services.filter((service) => !known.has(identityOf(service)));
}

/** The names of what was called: `lock proxy`, … */
export function namesOf({ calls }: Deployment): string[] {
  return calls.map(({ operation, service }) => `${operation} ${service.name}`);
}

/** All that was said, for the message of an assertion. */
export function story({ calls }: Deployment): string {
  return calls.map(({ operation, service, code, stdout, stderr, began, ended }) =>
    `$ ${operation} ${service.name} → ${code} (${Math.round(ended - began)} ms)\n${stdout}${stderr}`
  ).join("");
}
