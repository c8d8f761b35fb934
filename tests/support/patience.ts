/**
 * How long a test waits for anything until it is sure that it will not come, in milliseconds. It says
 * nothing about speed: it only keeps a test that fails from hanging for ever, on however busy a machine.
 * `$PATIENCE` has it in seconds.
 */
export const PATIENCE: number = 1000 * Number(Deno.env.get("PATIENCE") ?? 120);
