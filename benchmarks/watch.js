// Stop watches inside the page, so that no round trip to the measuring program is counted.
// A picture or a text counts as there, or as changed, once the document has it; its paint follows
// with the next frame.
(() => {
  const PATIENCE = 60_000; // milliseconds

  const sights = {
    title: () => document.querySelector('[data-testid="stMain"] h1')?.textContent,
    chart: () => {
      const svg = document.querySelector('[data-testid="stVegaLiteChart"] svg.marks');
      const lines = svg?.querySelectorAll(".mark-line path, path.mark-line") ?? [];
      return [...lines].map((path) => path.getAttribute("d")).join("");
    },
    picture: () => {
      const main = document.querySelector('[data-testid="stMain"]');
      if (main?.querySelector("svg.marks :is(path, rect, image)[d], svg.marks image")) return "drawn";
      const components = main?.querySelectorAll('[data-testid="stBidiComponentIsolated"]') ?? [];
      const drawn = (host) => host.shadowRoot?.querySelector("canvas, svg path[d]");
      return [...components].some((part) => [part, ...part.children].some(drawn)) && "drawn";
    },
  };

  // What a panel says in words, without what is inside its components: their documents are apart.
  const words = (control) => {
    const component = control.getRootNode().host ?? control;
    const panel = component.closest('[data-testid="stVerticalBlock"]');
    return () => panel.textContent;
  };

  // The moment at which `holds` first does, looked at whenever the document changes.
  const moment = (holds) =>
    new Promise((resolve, reject) => {
      const stop = () => {
        observer.disconnect();
        clearTimeout(alarm);
      };
      const look = () => {
        if (!holds()) return;
        stop();
        resolve(performance.now());
      };
      const observer = new MutationObserver(look);
      const alarm = setTimeout(() => {
        stop();
        reject(new Error(`nothing to see within ${PATIENCE / 1000} s`));
      }, PATIENCE);
      const everything = { subtree: true, childList: true, attributes: true, characterData: true };
      observer.observe(document, everything);
      look();
    });

  // How far what stands jumps, as the browser scores it: not what a reader's own hand moves, nor
  // that the whole page goes aside when the menu comes, before which no style of ours is there.
  let shifted = 0;
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) {
      const main = document.querySelector('[data-testid="stMain"]');
      const whole = shift.sources.some(({ node }) => node?.contains(main));
      if (!shift.hadRecentInput && !whole) shifted += shift.value;
    }
  }).observe({ type: "layout-shift", buffered: true });

  window.watch = {
    // When the page's title and its first picture stood, in milliseconds since the navigation.
    title: moment(sights.title),
    picture: moment(sights.picture),

    shift: () => shifted,

    // When the script has run and the browser has drawn what came of it.
    settled: () =>
      moment(() => document.querySelector('[data-test-script-state="notRunning"]')).then(
        () => new Promise((resolve) => requestIdleCallback(() => resolve(), { timeout: 5000 })),
      ),

    // Milliseconds from the next `event` on a control to another first chart ("chart") or to
    // other text in its panel ("words"); the result waits in `watch.result`.
    answer(control, event, sight) {
      const seen = sight === "words" ? words(control) : sights[sight];
      const before = seen();
      const released = new Promise((resolve) =>
        control.addEventListener(event, () => resolve(performance.now()), { once: true, capture: true }),
      );
      const changed = moment(() => seen() && seen() !== before);
      this.result = Promise.all([released, changed]).then(([start, end]) => end - start);
    },
  };
})();
