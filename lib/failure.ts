/** A failure to be told to the user in one line, with the exit code that belongs to it. */
export class Failure extends Error {
  override name = "Failure";

  /**
   * @param message what was being done, with which value, what is wrong, and what to do
   * @param exitCode the exit code of the program
   */
  constructor(message: string, readonly exitCode: number = 1, options?: ErrorOptions) {
    super(message, options);
  }
}
