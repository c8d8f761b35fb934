/* Keeps the page as the server says that things are by now. The server escapes what it sends. */

/** After how long without a word a connection that was given up is made anew, in milliseconds. */
const AGAIN_AFTER = 2000;

/** How many samples a plot has: 15 minutes of one a second. */
const MOST_SAMPLES = 900;

const live = document.getElementById("live");
const trusted = globalThis.trustedTypes?.createPolicy("page", { createHTML: (html) => html }) ??
  { createHTML: (html) => html };

/** Makes one element as another is, and touches nothing of it that is so already: the focus stays. */
function become(here, there) {
  for (const { name, value } of there.attributes) {
    if (here.getAttribute(name) !== value) here.setAttribute(name, value);
  }
  for (const { name } of [...here.attributes]) {
    if (!there.hasAttribute(name)) here.removeAttribute(name);
  }
  becomeInside(here, there);
}

function becomeInside(here, there) {
  const before = [...here.childNodes];
  const after = [...there.childNodes];
  for (const [index, node] of after.entries()) {
    const old = before[index];
    if (old === undefined) here.append(node);
    else if (old.nodeName !== node.nodeName) old.replaceWith(node);
    else if (node.nodeType === Node.ELEMENT_NODE) become(old, node);
    else if (old.data !== node.data) old.data = node.data;
  }
  for (const old of before.slice(after.length)) old.remove();
}

function show({ id, html }) {
  const part = document.getElementById(id);
  if (part === null) return;
  const template = document.createElement("template");
  template.innerHTML = trusted.createHTML(html);
  becomeInside(part, template.content);
}

/** Plots of a proxy, if this is the page of one. */
class Plots {
  samples = [];
  #plots = [];

  constructor() {
    this.#draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    new ResizeObserver(() => this.#fit()).observe(document.getElementById("plot-connections"));
  }

  add(samples) {
    // Who has come back may be told once more of what was.
    const before = this.samples.filter(({ at }) => at < samples[0].at);
    this.samples = [...before, ...samples].slice(-MOST_SAMPLES);
    for (const { plot, names } of this.#plots) plot.setData(this.#columns(names));
  }

  #columns(names) {
    return ["at", ...names].map((name) => this.samples.map((one) => one[name]));
  }

  #fit() {
    for (const { plot, place } of this.#plots) {
      plot.setSize({ width: place.clientWidth, height: 190 });
    }
  }

  #draw() {
    for (const { plot } of this.#plots) plot.destroy();
    const short = new Intl.NumberFormat("en", { notation: "compact" });
    this.#plots = [
      this.#plot("plot-connections", [
        ["active", "Active", "--open"],
        ["queued", "Queued", "--draining"],
        ["suspended", "Suspended", "--held"],
      ], (value) => short.format(value)),
      this.#plot("plot-bytes", [
        ["up", "Up, bytes/s", "--up"],
        ["down", "Down, bytes/s", "--down"],
      ], (value) => short.format(value)),
    ];
  }

  #plot(id, lines, format) {
    const colour = (name) =>
      getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const place = document.getElementById(id);
    const names = lines.map(([name]) => name);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
    const plot = new globalThis.uPlot(
      {
        width: place.clientWidth,
        height: 190,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
        axes: [axis, { ...axis, size: 54, values: (_plot, values) => values.map(format) }],
        series: [
          {},
          ...lines.map(([, label, name]) => ({
            label,
            stroke: colour(name),
            width: 2,
            points: { show: false },
            value: (_plot, value) => value === null ? "–" : format(value),
          })),
        ],
      },
      this.#columns(names),
      place,
    );
    return { plot, place, names };
  }
}

const plots = document.getElementById("plot-connections") === null ? null : new Plots();

/** What is heard from; nothing while nobody looks. */
let source = null;

function tell(text, isLost = false) {
  if (live.textContent !== text) live.textContent = text;
  live.className = isLost ? "lost" : "";
}

function listen() {
  if (document.hidden || source !== null) return;
  const own = source = new EventSource(document.body.dataset.events);
  own.addEventListener("open", () => tell("Live"));
  own.addEventListener("part", ({ data }) => show(JSON.parse(data)));
  own.addEventListener("samples", ({ data }) => plots?.add(JSON.parse(data)));
  own.addEventListener("error", () => {
    if (own !== source) return;
    tell("Connection lost, reconnecting …", true);
    // What the browser gives up, such as at an answer that is no stream.
    if (own.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(listen, AGAIN_AFTER);
  });
}

// Browsers have only few connections to a server, for all of their windows.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  source?.close();
  source = null;
  tell("Not looked at");
});

listen();
