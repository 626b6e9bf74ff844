// Brings a panel into view: the one that the address names on arrival, or a stop of the tour.
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

let turn = 0; // of the tour, on this document

export default function ({ data }) {
  const page = document.documentElement;
  if (data?.panel && data.times !== turn) {
    turn = data.times;
    hold(data.panel, true);
  } else if (!page.dataset.held && window.location.hash) {
    hold(window.location.hash.slice(1), false);
  }
  page.dataset.held = "true";
}
