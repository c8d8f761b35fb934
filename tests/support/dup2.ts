/** Has one descriptor be another one from now on, at once (dup2(2)); negative if it cannot. */
export const { dup2 } = Deno.dlopen("libc.so.6", {
  dup2: { parameters: ["i32", "i32"], result: "i32" },
}).symbols;
