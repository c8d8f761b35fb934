import assert from "node:assert/strict";
import fc from "fast-check";
import { markup } from "../../lib/serve/markup.ts";

Deno.test("no text can become anything but text, wherever it is put", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const { text: made } = markup`<p title="${text}">${text}</p>`;
    const [, title = "", content = ""] = /^<p title="([^"<>]*)">([^"<>]*)<\/p>$/.exec(made) ?? [];
    assert.equal(title, content);
    assert.match(title, /^(?:[^&"'<>]|&(?:amp|lt|gt|quot|#39);)*$/);
  }));
  const { text } = markup`${"<script>"}${markup`<b>${"&"}</b>`}${[1, null, "'"]}`;
  assert.equal(text, "&lt;script&gt;<b>&amp;</b>1&#39;");
});

Deno.test("a text that turns the direction, or is not seen, is shown as what it is", () => {
  assert.equal(markup`${"a\u202Eb\u0000"}`.text, "a\\u202eb\\u0000");
});
