// Opens the print dialog once nothing is waiting to be drawn any more.
// Of panels that are not drawn yet; a stale one is left of a panel that is.
const PLACES = '[class*="st-key-_place"]:not([data-stale="true"])';
const CALM = 1500; // milliseconds without a change after which the page counts as drawn

let printed = 0;

export default function ({ data }) {
  if (data.times === printed) return;
  printed = data.times;
  const app = document.querySelector('[data-testid="stApp"]');
  let timer;
  const changes = new MutationObserver(() => wait());
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (app.dataset.testScriptState === "running" || document.querySelector(PLACES)) return wait();
      changes.disconnect();
      window.print();
    }, CALM);
  };
  changes.observe(app, { childList: true, subtree: true });
  wait();
}
