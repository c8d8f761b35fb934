/**
 * IP addresses as numbers: what `node:net` knows only of texts, and takes long to load for.
 *
 * @module
 */

/** What an IPv4 address begins with that is written as an IPv6 one (RFC 4291, section 2.5.5.2). */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/**
 * The bytes of an IP address: 4, also of an IPv4 address that is written as an IPv6 one
 * (`::ffff:192.0.2.7`), or 16. The name of an interface (`%eth0`) is left out.
 *
 * @returns `null` if the text is no IP address
 */
export function bytesOfIp(text: string): Uint8Array<ArrayBuffer> | null {
  const [ip = "", ...scope] = text.split("%");
  return ip.includes(":") ? bytesOfIPv6(ip) : scope.length > 0 ? null : bytesOfIPv4(ip);
}

/** Writes an address of 4 or 16 bytes, one that is mapped as the IPv4 address it is. */
export function textOfIp(bytes: Uint8Array): string {
  const short = unmapped(bytes);
  if (short.length === 4) return short.join(".");
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2) {
    groups.push(((bytes[index] as number) << 8 | (bytes[index + 1] as number)).toString(16));
  }
  return hostOfURL(groups.join(":"));
}

/** An address of 16 bytes, whatever it is: an IPv4 one is mapped. */
export function mapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  const long = new Uint8Array(16);
  long.set(MAPPED);
  long.set(bytes, MAPPED.length);
  return long;
}

function unmapped<Bytes extends Uint8Array>(bytes: Bytes): Bytes {
  const isMapped = bytes.length === 16 && MAPPED.every((byte, index) => byte === bytes[index]);
  return isMapped ? bytes.slice(MAPPED.length) as Bytes : bytes;
}

function bytesOfIPv4(text: string): Uint8Array<ArrayBuffer> | null {
  const parts = text.split(".");
  const isOne = parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isOne ? Uint8Array.from(parts, Number) : null;
}

function bytesOfIPv6(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\da-fA-F:.]+$/.test(text) || !URL.canParse(`http://[${text}]`)) return null;
  const [before = "", after] = hostOfURL(text).split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":");
  const [first, last] = [groups(before), groups(after ?? "")];
  const zeros = Array(8 - first.length - last.length).fill("0");
  const bytes = new Uint8Array(16);
  for (const [index, group] of [...first, ...zeros, ...last].entries()) {
    const number = parseInt(group, 16);
    bytes.set([number >> 8, number & 0xff], 2 * index);
  }
  return unmapped(bytes);
}

/** An IPv6 address in its shortest form, in hexadecimal digits only (RFC 5952; URL Standard). */
function hostOfURL(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}
