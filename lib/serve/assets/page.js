/* Keeps the page as the server says that things are by now. The server escapes what it sends. */

/** After how long without a word a connection that was given up is made anew, in milliseconds. */
const AGAIN_AFTER = 2000;

/** How long the first paint is waited for at the most, in milliseconds. */
const PAINTED_WITHIN = 1000;

/** How high a plot is, in pixels. */
const HEIGHT = 190;

/** How far apart what an axis says may be: times in whole seconds, and whole numbers. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300];
const NUMBERS = Array.from(
  { length: 13 },
  (_, power) => [1, 2, 5].map((step) => step * 10 ** power),
)
  .flat();

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

/** What the clock shows, in UTC as everywhere on the page. */
function clock(at) {
  return `${new Date(1000 * at).toISOString().slice(11, 19)}Z`;
}

/** Plots of a proxy, if this is the page of one. */
class Plots {
  samples = [];
  #uPlot = null;
  /** Makes numbers short; what that takes comes in late, as it is much. */
  #short = null;
  #plots = [];

  /** Fetches what draws them. */
  async begin() {
    this.#uPlot = (await import(document.body.dataset.plotter)).default;
    this.#short = new Intl.NumberFormat("en", { notation: "compact" }).format;
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
      plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }
  }

  #draw() {
    for (const { plot } of this.#plots) plot.destroy();
    this.#plots = [
      this.#plot("plot-connections", [
        ["active", "Active", "--open"],
        ["queued", "Queued", "--draining"],
        ["suspended", "Suspended", "--held"],
      ]),
      this.#plot("plot-bytes", [
        ["up", "Up, bytes/s", "--up"],
        ["down", "Down, bytes/s", "--down"],
      ]),
    ];
  }

  #plot(id, lines) {
    const colour = (name) =>
      getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const place = document.getElementById(id);
    const names = lines.map(([name]) => name);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
    // Where nobody points, the last one.
    const legend = (format) => (plot, value, line, index) => {
      const shown = index === null ? plot.data[line].at(-1) : value;
      return shown === null || shown === undefined ? "–" : format(shown);
    };
    const plot = new this.#uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
        axes: [
          { ...axis, incrs: SECONDS, space: 80, values: (_plot, times) => times.map(clock) },
          { ...axis, incrs: NUMBERS, size: 54, values: (_plot, all) => all.map(this.#short) },
        ],
        series: [
          { label: "At", value: legend(clock) },
          ...lines.map(([, label, name]) => ({
            label,
            stroke: colour(name),
            width: 2,
            points: { show: false },
            value: legend(this.#short),
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

/** Nothing that is fetched or worked out from here on holds up the first paint. */
const isPainted = new Promise((resolve) => {
  new PerformanceObserver(resolve).observe({ type: "paint", buffered: true });
  setTimeout(resolve, PAINTED_WITHIN);
});

isPainted.then(() => {
  listen();
  plots?.begin();
});
