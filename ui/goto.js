// Brings a panel into view: the one that the address names on arrival, a stop of the tour, or the
// next one at a key.
const main = () => document.querySelector('[data-testid="stMain"]');

const ONWARD = ["next", "another"].map((word) => `[class*="st-key-_tour-${word}"] button`).join();

// Panels drawn late move what is below them: the panel is held in view until the reader takes over,
// or for five seconds.
function hold(anchor, guided) {
  let focused = !guided;
  const show = () => {
    document.getElementById(anchor)?.scrollIntoView();
    const way = document.querySelector(ONWARD);
    if (focused || !way) return;
    focused = true;
    way.focus({ preventScroll: true }); // for those who go by keyboard or ear
  };
  const moved = new ResizeObserver(show);
  moved.observe(main().firstElementChild);
  const stop = () => moved.disconnect();
  for (const act of ["wheel", "keydown", "pointerdown", "touchstart"])
    window.addEventListener(act, stop, { once: true, passive: true });
  setTimeout(stop, 5000);
}

// J and K: the heading after the one on top of the view, or before it.
function onward({ key, target, ctrlKey, metaKey, altKey }) {
  const step = { j: 1, k: -1 }[key];
  if (!step || ctrlKey || metaKey || altKey || target.closest?.(TYPING)) return;
  const top = main().getBoundingClientRect().top;
  const headings = [...document.querySelectorAll("h2[id]")];
  const places = headings.map((heading) => heading.getBoundingClientRect().top - top);
  const at = step > 0 ? places.findIndex((place) => place > NEAR) : places.findLastIndex((place) => place < -NEAR);
  if (at < 0) return;
  headings[at].scrollIntoView();
  headings[at].tabIndex = -1;
  headings[at].focus({ preventScroll: true });
}

const NEAR = 90; // pixels: a heading that close to the top is the one on top
const TYPING = "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, [contenteditable]";

let turn = 0; // of the tour, on this document

export default function ({ data }) {
  const page = document.documentElement;
  if (data?.panel && data.times !== turn) {
    turn = data.times;
    hold(data.panel, true);
  } else if (!page.dataset.held && window.location.hash) {
    hold(window.location.hash.slice(1), false);
  }
  if (!page.dataset.held) document.addEventListener("keydown", onward);
  page.dataset.held = "true";
}
