/**
 * Names this machine, and tells nobody its machine-id(5), which is not to be shown: 32 hexadecimal
 * digits of a digest of it. An empty text where there is none.
 */
export async function machineId(): Promise<string> {
  let id: string;
  try {
    id = Deno.readTextFileSync("/etc/machine-id").trim();
  } catch {
    return "";
  }
  if (id === "") return "";
  const text = new TextEncoder().encode(`disnix-tcp-proxy ${id}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex().slice(0, 32);
}
