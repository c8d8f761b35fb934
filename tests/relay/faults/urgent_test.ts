import assert from "node:assert/strict";
import { isLong } from "../../support/long.ts";
import { testWith, without } from "../../support/tools.ts";
import { Stage } from "../stage.ts";
import { KINDS, WAYS } from "./kinds.ts";

/**
 * A client that sends some bytes, an urgent one (MSG_OOB, tcp(7)), and some more; then it ends, and
 * waits for the end. Its arguments are the port and how many bytes.
 */
const CLIENT = `
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
piece = b"x" * int(sys.argv[2])
peer.sendall(piece)
peer.send(b"!", socket.MSG_OOB)
peer.sendall(piece)
peer.shutdown(socket.SHUT_WR)
while peer.recv(65536): pass
`;

for (const kind of isLong ? KINDS : WAYS) {
  for (const size of [1, 100, 20_000, 8 << 20]) {
    testWith(
      without("python3"),
      `${kind}: ${size} bytes before an urgent one, and as many after it, arrive`,
      async () => {
        await using stage = await Stage.set(kind);
        const { port } = stage.relay.listen;
        const client = new Deno.Command("python3", { args: ["-c", CLIENT, `${port}`, `${size}`] })
          .spawn();
        const server = await stage.service.next();
        assert.equal(await server.ending, "end");
        // The urgent one itself is not part of the stream, unless somebody asks for that.
        assert.equal(server.received, 2 * size);
        server.finish();
        assert.equal((await client.status).code, 0);
        await stage.over();
        assert.deepEqual(stage.events.reasons, ["finished"]);
      },
    );
  }
}
