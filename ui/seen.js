// Says that its place has come near the reader's view.
const main = () => document.querySelector('[data-testid="stMain"]');

export default function ({ parentElement, setStateValue }) {
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
