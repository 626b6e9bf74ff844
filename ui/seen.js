// Says that its place has come near the reader's view.
const main = () => document.querySelector('[data-testid="stMain"]');
const running = () => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "running";

export default function ({ data, parentElement, setStateValue }) {
  parentElement.querySelector(".place").dataset.word = data.word; // for paper
  let times = 0;
  let again;
  // Several places can come near at once, and one message may stand for all: say it until heard.
  // Not while a run goes on: what is asked for meanwhile would wait for its end, and be asked for
  // again until then.
  const say = () => {
    const waits = running();
    if (!waits) setStateValue("seen", ++times);
    again = setTimeout(say, waits ? 50 : 800);
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
