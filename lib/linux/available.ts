/**
 * Why the epoll relay cannot run here; `null` if it can.
 *
 * Struct layouts are known for these two processors only, and all of it is done through FFI.
 */
export function whyNoEpoll(): string | null {
  if (Deno.build.os !== "linux") return `it needs Linux, and this is ${Deno.build.os}`;
  if (Deno.build.arch !== "x86_64" && Deno.build.arch !== "aarch64") {
    return `it needs x86_64 or aarch64, and this is ${Deno.build.arch}`;
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "it needs the permission to call the C library (--allow-ffi)";
  }
  return null;
}
