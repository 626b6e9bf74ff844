// Says once that its place has come near the reader's view.
export default function ({ parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".place");
  const near = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      setTriggerValue("seen", true);
    },
    { root: document.querySelector('[data-testid="stMain"]'), rootMargin: "600px 0px" },
  );
  near.observe(place);
  return () => near.disconnect();
}
