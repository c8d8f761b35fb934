import type { Perform } from "./fakes.ts";

interface Operation {
  readonly name: string;
  readonly effect: () => void;
  readonly tell: () => void;
  happened: boolean;
}

/**
 * I/O in slow motion: an operation first happens, and a step later whoever asked for it learns
 * that. In between, anything else can happen, even the end of the process.
 */
export class IoQueue {
  #operations: Operation[] = [];

  /** @param onEffect is told of every operation right before and right after it happens */
  constructor(
    readonly onEffect: (name: string, when: "before" | "after") => void = () => {},
  ) {}

  readonly perform: Perform = <T>(name: string, effect: () => T) => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let tell = () => {};
    this.#operations.push({
      name,
      effect: () => {
        try {
          const value = effect();
          tell = () => resolve(value);
        } catch (error) {
          tell = () => reject(error);
        }
      },
      tell: () => tell(),
      happened: false,
    });
    return promise;
  };

  get size(): number {
    return this.#operations.length;
  }

  /** One operation goes one step on. @param pick which one */
  step(pick = 0): void {
    const operation = this.#operations[pick % this.#operations.length];
    if (operation === undefined) return;
    if (operation.happened) {
      this.#operations = this.#operations.filter((one) => one !== operation);
      operation.tell();
    } else {
      operation.happened = true;
      this.onEffect(operation.name, "before");
      operation.effect();
      this.onEffect(operation.name, "after");
    }
  }

  /** The process is gone: nobody learns anything any more. */
  clear(): void {
    this.#operations = [];
  }
}
