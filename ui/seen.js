// Says that its place has come near the reader's view.
const main = () => document.querySelector('[data-testid="stMain"]');

// Panels drawn late move what is below them: a link to a panel keeps it in view until the reader
// takes over, or for five seconds.
function holdLinkedPanel() {
  const page = document.documentElement;
  if (page.dataset.held || !window.location.hash) return;
  page.dataset.held = "true";
  const show = () => document.getElementById(window.location.hash.slice(1))?.scrollIntoView();
  const moved = new ResizeObserver(show);
  moved.observe(main().firstElementChild);
  const stop = () => moved.disconnect();
  for (const act of ["wheel", "keydown", "pointerdown", "touchstart"])
    window.addEventListener(act, stop, { once: true, passive: true });
  setTimeout(stop, 5000);
}

export default function ({ parentElement, setStateValue }) {
  holdLinkedPanel();
  let times = 0;
  let again;
  // Several places can come near at once, and one message may stand for all: say it until heard.
  const say = () => {
    setStateValue("seen", ++times);
    again = setTimeout(say, 800);
  };
  const near = new IntersectionObserver(
    (entries) => {
      clearTimeout(again);
      if (entries.at(-1).isIntersecting) say();
    },
    { root: main(), rootMargin: "300px 0px" },
  );
  near.observe(parentElement.querySelector(".place"));
  return () => {
    clearTimeout(again);
    near.disconnect();
  };
}
