/**
 * Proxies on other machines: the system's ssh runs `proxyctl dial` there, which is a plain pipe to the
 * control socket.
 *
 * @module
 */

import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { shellWord } from "../shell_word.ts";
import type { Answer, Ask, Question } from "./exchange.ts";

/** How long ssh may take to connect, in seconds: less than a proxy has for its answer. */
const CONNECT_TIMEOUT = 8;
/** How often ssh asks whether the other machine is still there, in seconds, and how often in vain. */
const ALIVE_INTERVAL = 5;
const ALIVE_COUNT = 3;

/** How long the head of an answer may be, in bytes. */
const LONGEST_HEAD = 16 * 1024;
/** How much of what ssh says is kept, in characters. */
const MOST_SAID = 4096;

/** The exit code with which ssh(1) says that it has failed itself. */
const SSH_FAILED = 255;
/** The exit code with which a shell says that there is no such command. */
const NO_COMMAND = 127;

/** Another machine. */
export interface SshHost {
  readonly user: string | null;
  readonly host: string;
  readonly port: number | null;
  /** As it was written. */
  readonly text: string;
}

/**
 * Reads `ssh://[user@]host[:port]`.
 *
 * @throws {RangeError} when it is none, or one that ssh could take for an option
 */
export function parseSshHost(text: string): SshHost {
  const match =
    /^ssh:\/\/(?:([^@/:\s]+)@)?(?:\[([\da-fA-F:.%\w]+)\]|([^@/:\s[\]]+))(?::(\d{1,5}))?\/?$/
      .exec(text);
  const [, user = null, bracketed, plain, port] = match ?? [];
  const host = bracketed ?? plain ?? "";
  const number = port === undefined ? null : Number(port);
  const isPort = number === null || number >= 1 && number <= 65535;
  if (match === null || !isPort || [...text].some((one) => one < "!" || one > "~")) {
    throw new RangeError(`"${text}" is no machine: write ssh://[user@]host[:port]`);
  }
  if (host.startsWith("-") || user?.startsWith("-")) {
    throw new RangeError(`"${text}" begins a name with "-", which ssh would take for an option`);
  }
  return { user, host, port: number, text };
}

/** The words with which a command is run on another machine. */
export function sshCommand(host: SshHost, command: readonly string[]): string[] {
  return [
    "-T",
    ...["-o", "BatchMode=yes"],
    ...["-o", `ConnectTimeout=${CONNECT_TIMEOUT}`],
    ...["-o", `ServerAliveInterval=${ALIVE_INTERVAL}`],
    ...["-o", `ServerAliveCountMax=${ALIVE_COUNT}`],
    ...host.user === null ? [] : ["-l", host.user],
    ...host.port === null ? [] : ["-p", `${host.port}`],
    "--",
    host.host,
    // To ssh it is one text, which the shell of the other side takes apart.
    command.map(shellWord).join(" "),
  ];
}

/**
 * Asks by way of a command on another machine.
 *
 * @param command a pipe to the control socket there
 */
export function overSsh(host: SshHost, command: readonly string[]): Ask {
  return (question) => {
    const child = startSsh(host, command, "piped");
    const said = textOf(child.stderr);
    return {
      answer: answerOf(child, question).catch(async (error) => {
        throw await whyEnded(child, said) ?? error;
      }).then((answer) => ({ ...answer, body: untilEnded(answer.body, child, said) })),
      end() {
        try {
          child.kill("SIGTERM");
        } catch { /* it has ended */ }
      },
    };
  };
}

/**
 * Runs a command on another machine to its end.
 *
 * @returns what it printed
 * @throws {Failure} with its exit code, if that is one of proxyctl's
 */
export async function runOverSsh(host: SshHost, command: readonly string[]): Promise<string> {
  const child = startSsh(host, command, "null");
  const said = textOf(child.stderr);
  const printed = await new Response(child.stdout).text();
  const failure = await whyEnded(child, said);
  if (failure !== null) throw failure;
  return printed;
}

function startSsh(host: SshHost, command: readonly string[], stdin: "piped" | "null") {
  try {
    return new Deno.Command("ssh", {
      args: sshCommand(host, command),
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    throw new Failure(`Failed to run ssh: ${(error as Error).message}`);
  }
}

async function answerOf(child: Deno.ChildProcess, question: Question): Promise<Answer> {
  const { method, path, body } = question;
  const length = new TextEncoder().encode(body).length;
  // Of HTTP/1.0: then the answer ends with the connection, and has no chunks.
  const head = `${method} ${path} HTTP/1.0\r\nhost: proxy\r\ncontent-length: ${length}\r\n\r\n`;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(head + body));
  // It stays open: its end would be that of the question.
  writer.releaseLock();
  const pieces = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let begin = "";
  for (let end = -1; end === -1; end = begin.indexOf("\r\n\r\n")) {
    const { done, value } = await pieces.next();
    if (done) throw Object.assign(new Error("no answer"), { code: "ECONNRESET" });
    begin += value;
    if (begin.length > LONGEST_HEAD && !begin.includes("\r\n\r\n")) break;
  }
  const [, status, rest] = /^HTTP\/1\.\d (\d{3})[^]*?\r\n\r\n([^]*)$/.exec(begin) ?? [];
  if (status === undefined) {
    throw new Failure(`What answers is no proxy: ${begin.split("\n")[0]?.slice(0, 200)}`);
  }
  return {
    status: Number(status),
    body: (async function* () {
      if (rest) yield rest;
      for (;;) {
        const { done, value } = await pieces.next();
        if (done) return;
        yield value;
      }
    })(),
  };
}

/** What comes until the command ends. @throws {Failure} unless it ended well */
async function* untilEnded(
  body: AsyncIterable<string>,
  child: Deno.ChildProcess,
  said: Promise<string>,
): AsyncGenerator<string, void> {
  yield* body;
  const failure = await whyEnded(child, said);
  if (failure !== null) throw failure;
}

/** Waits until the command has ended. @returns `null` if it ended well */
async function whyEnded(child: Deno.ChildProcess, said: Promise<string>): Promise<Failure | null> {
  const { success, code } = await child.status;
  if (success) return null;
  const lines = (await said).trim().split("\n").filter(Boolean);
  const last = lines.at(-1)?.trim() ?? "";
  if (code === SSH_FAILED) return new Failure(`ssh failed: ${last || "it does not say why"}`);
  if (code === NO_COMMAND) return new Failure(`There is no proxyctl there: ${last}`);
  const known = (Object.values(EXIT) as number[]).includes(code);
  const message = last.replace(/^proxyctl: /, "") || `ssh ended with ${code}`;
  return new Failure(message, known ? code : EXIT.unexpected);
}

async function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + piece).slice(-MOST_SAID);
  }
  return text;
}
