/** Tells everybody who wants to hear it of what happens, in the order in which they came. */
export class Announcements<Event> {
  readonly #hearers: ((event: Event) => void)[] = [];

  /** Has it told from now on. */
  hear(hearer: (event: Event) => void): void {
    this.#hearers.push(hearer);
  }

  /** Tells it; nobody may be there to hear it. */
  tell(event: Event): void {
    for (const hearer of this.#hearers) hearer(event);
  }
}
