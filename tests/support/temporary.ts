/** A temporary directory; disposing of it removes it with all that is in it. */
export class TemporaryDirectory implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Makes one. */
  static async make(): Promise<TemporaryDirectory> {
    return new TemporaryDirectory(await Deno.makeTempDir());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
