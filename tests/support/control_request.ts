import { request as httpRequest } from "node:http";

/** What came back over a control socket. */
export interface ControlAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/**
 * Asks over a control socket as any HTTP client would, without the code that is being tested.
 *
 * @param body is sent as it is; an object as JSON
 */
export function controlRequest(
  socketPath: string,
  method: string,
  path: string,
  body: string | object = "",
): Promise<ControlAnswer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { host: "test", "content-length": new TextEncoder().encode(text).length };
    const request = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => text += piece);
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on("error", reject);
    request.end(text);
  });
}
