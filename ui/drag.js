// An error curve that follows a coefficient while it is dragged, drawn in the browser.
// The approximation is s = sigmoid(p + theta q); what is drawn is its error against the exact values
// that arrive with the data. Python hears of theta once, when the slider is released.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 300;
const MARGIN = { left: 64, right: 14, top: 14, bottom: 40 };

const sigmoid = (u) => (u >= 0 ? 1 / (1 + Math.exp(-u)) : Math.exp(u) / (1 + Math.exp(u)));

const ERRORS = {
  cdf: (s) => s,
  gelu: (s, x) => x * s,
  "gelu-derivative": (s, x, du) => s + x * s * (1 - s) * du,
};

function errors({ basis, target }, theta) {
  const { x, exact, p, q, dp, dq } = basis;
  return x.map((at, i) => {
    const s = sigmoid(p[i] + theta * q[i]);
    return ERRORS[target](s, at, dp[i] + theta * dq[i]) - exact[i];
  });
}

// Local extrema, refined by the parabola through three neighbors.
function extrema(x, e) {
  const found = [];
  for (let i = 1; i < x.length - 1; i++) {
    if ((e[i] - e[i - 1]) * (e[i + 1] - e[i]) > 0) continue;
    const curvature = e[i - 1] - 2 * e[i] + e[i + 1];
    const shift = curvature ? (0.5 * (e[i - 1] - e[i + 1])) / curvature : 0;
    const height = e[i] - 0.25 * (e[i - 1] - e[i + 1]) * shift;
    found.push({ x: x[i] + shift * (x[i + 1] - x[i]), error: height });
  }
  const largest = Math.max(...found.map((point) => Math.abs(point.error)), 0);
  return found.filter((point) => Math.abs(point.error) > 0.02 * largest);
}

function scientific(value, digits = 2) {
  const [mantissa, exponent] = value.toExponential(digits).split("e");
  const power = String(Number(exponent)).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  return `${mantissa.replace("-", "−")}×10${power}`;
}

function ticks(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  const step = [1, 2, 5].map((m) => m * power).find((s) => limit / s <= 3) ?? 10 * power;
  const count = Math.floor(limit / step);
  return Array.from({ length: 2 * count + 1 }, (_, i) => (i - count) * step);
}

function element(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

function drawAxes(svg, data, width, across, up) {
  const right = width - MARGIN.right;
  for (const value of ticks(data.limit)) {
    const y = up(value);
    element(svg, "line", { x1: MARGIN.left, x2: right, y1: y, y2: y, class: value ? "grid" : "zero" });
    element(svg, "text", { x: MARGIN.left - 6, y: y + 4, class: "tick end" }, value ? scientific(value, 0) : "0");
  }
  for (let x = 0; x <= data.reach; x++)
    element(svg, "text", { x: across(x), y: HEIGHT - MARGIN.bottom + 18, class: "tick middle" }, x);
  element(svg, "text", { x: (MARGIN.left + right) / 2, y: HEIGHT - 6, class: "title middle" }, data.words.x);
  for (const sign of [1, -1]) {
    const y = up(sign * data.best);
    element(svg, "line", { x1: MARGIN.left, x2: right, y1: y, y2: y, class: "best" });
  }
  element(svg, "text", { x: right, y: up(data.best) - 5, class: "tick end" }, data.words.best);
}

function drawCurve(svg, data, theta, across, up) {
  const e = errors(data, theta);
  const clamp = (value) => Math.min(Math.max(value, -data.limit), data.limit);
  const path = data.basis.x.map((x, i) => `${across(x)},${up(clamp(e[i]))}`).join(" ");
  element(svg, "polyline", { points: path, class: "curve" });
  const points = extrema(data.basis.x, e);
  for (const point of points) {
    const [x, y] = [across(point.x), up(clamp(point.error))];
    element(svg, "circle", { cx: x, cy: y, r: 5, class: "extremum" });
    const below = point.error < 0 ? 18 : -10;
    element(svg, "text", { x, y: y + below, class: "label middle" }, scientific(point.error));
  }
  return Math.max(...points.map((point) => Math.abs(point.error)), Math.abs(e.at(-1)));
}

function draw(root, data, theta) {
  const svg = root.querySelector("svg");
  const width = Math.max(root.clientWidth, 280);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren();
  const span = width - MARGIN.left - MARGIN.right;
  const middle = (MARGIN.top + HEIGHT - MARGIN.bottom) / 2;
  const half = middle - MARGIN.top;
  const across = (x) => MARGIN.left + (x / data.reach) * span;
  const up = (value) => middle - (value / data.limit) * half;
  drawAxes(svg, data, width, across, up);
  const worst = drawCurve(svg, data, theta, across, up);
  const value = theta.toFixed(data.digits);
  root.querySelector("output").textContent = `${data.words.coefficient} = ${value}   ${data.words.worst} ${scientific(worst)}`;
  svg.setAttribute("aria-label", `${data.words.title}: ${data.words.worst} ${scientific(worst)}`);
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".drag");
  const slider = root.querySelector("input");
  Object.assign(slider, { min: data.low, max: data.high, step: data.step, value: data.value });
  slider.setAttribute("aria-label", data.words.coefficient);
  slider.oninput = () => draw(root, data, Number(slider.value));
  slider.onchange = () => setStateValue("value", Number(slider.value));
  draw(root, data, data.value);
  const resized = new ResizeObserver(() => draw(root, data, Number(slider.value)));
  resized.observe(root);
  return () => resized.disconnect();
}
