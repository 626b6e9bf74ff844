// A point to drag in a landscape of losses. The density of updates, its mean, minus the gradient and
// Newton's step follow in the browser, from the losses on a grid that came with the data; on the
// whole plane the mean came with it, too, since it ends in the same place wherever one stands.
// Python hears of the point when it is released, and then says the exact numbers.
const SVG = "http://www.w3.org/2000/svg";
const VIEW = 400; // units of the drawing across the window
const BANDS = 14; // contours of the loss

function element(parent, name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.appendChild(node);
  return node;
}

function field({ numbers, cells, reach }) {
  const bytes = Uint8Array.from(atob(numbers), (letter) => letter.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  const unit = (cells - 1) / (2 * reach);
  const clamp = (value) => Math.min(Math.max(value, 0), cells - 1.001);
  const at = (x, y) => {
    const across = clamp((x + reach) * unit), down = clamp((reach - y) * unit);
    const i = Math.floor(across), j = Math.floor(down), a = across - i, b = down - j;
    const row = j * cells + i;
    return (1 - b) * ((1 - a) * values[row] + a * values[row + 1]) + b * ((1 - a) * values[row + cells] + a * values[row + cells + 1]);
  };
  return { values, cells, reach, at, step: 1 / unit };
}

// Minus the gradient and Newton's step (null where the Hessian is not positive definite), by central
// differences of a smooth loss, or of what the grid makes of one that is not.
function derivatives({ at, step }, [x, y]) {
  const h = 2 * step;
  const gx = (at(x + h, y) - at(x - h, y)) / (2 * h), gy = (at(x, y + h) - at(x, y - h)) / (2 * h);
  const xx = (at(x + h, y) - 2 * at(x, y) + at(x - h, y)) / h ** 2;
  const yy = (at(x, y + h) - 2 * at(x, y) + at(x, y - h)) / h ** 2;
  const xy = (at(x + h, y + h) - at(x + h, y - h) - at(x - h, y + h) + at(x - h, y - h)) / (4 * h ** 2);
  const det = xx * yy - xy * xy;
  const newton = det > 1e-6 && xx > 0 ? [-(yy * gx - xy * gy) / det, -(xx * gy - xy * gx) / det] : null;
  return { gradient: [-gx, -gy], newton };
}

// Where one lands on average, over the nodes within the radius.
function landing({ values, cells, reach, step }, [x, y], alpha, radius) {
  let least = Infinity;
  const inside = [];
  for (let j = 0; j < cells; j++)
    for (let i = 0; i < cells; i++) {
      const px = -reach + i * step, py = reach - j * step;
      if ((px - x) ** 2 + (py - y) ** 2 > radius ** 2) continue;
      inside.push([px, py, values[j * cells + i]]);
      least = Math.min(least, values[j * cells + i]);
    }
  let total = 0, sx = 0, sy = 0;
  for (const [px, py, loss] of inside) {
    const weight = Math.exp(-(loss - least) / alpha);
    total += weight; sx += weight * px; sy += weight * py;
  }
  return total ? { place: [sx / total, sy / total], least } : { place: [x, y], least };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".landscape");
  const svg = root.querySelector("svg");
  const canvas = root.querySelector("canvas");
  const grid = field(data.field);
  const { alpha, radius, words } = data;
  const size = data.field.window;
  let theta = [...data.theta];
  let held = false;
  let painted = false;
  svg.setAttribute("viewBox", `0 0 ${VIEW} ${VIEW}`);
  svg.setAttribute("tabindex", 0);
  svg.setAttribute("role", "slider");
  svg.setAttribute("aria-label", words.place);
  const unit = VIEW / (2 * size);
  const across = (x) => VIEW / 2 + x * unit, up = (y) => VIEW / 2 - y * unit;
  const clamp = (value) => Math.min(Math.max(value, -size), size);

  svg.replaceChildren();
  const ball = element(svg, "circle", { class: "ball" });
  const marks = {};
  for (const name of ["gradient", "newton", "mean"]) {
    marks[name] = { line: element(svg, "line", { class: `arrow ${name}` }), head: element(svg, "path", { class: `head ${name}` }) };
  }
  const lowest = element(svg, "path", { class: "lowest" });
  const place = element(svg, "circle", { r: 8, class: "theta" });

  function arrow({ line, head }, step) {
    const shown = step && Math.hypot(...step) > 0.02;
    line.style.display = head.style.display = shown ? "" : "none";
    if (!shown) return;
    const x2 = across(theta[0] + step[0]), y2 = up(theta[1] + step[1]);
    const x1 = across(theta[0]), y1 = up(theta[1]), turn = Math.atan2(y2 - y1, x2 - x1);
    for (const [key, value] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(key, value);
    const side = (angle) => `${x2 - 11 * Math.cos(turn + angle)},${y2 - 11 * Math.sin(turn + angle)}`;
    head.setAttribute("d", `M${side(0.45)}L${x2},${y2}L${side(-0.45)}`);
  }

  // The density as blue over white, contours of the loss in gray; in a ball nothing outside of it.
  function paint(least) {
    const cells = 200, context = canvas.getContext("2d");
    canvas.width = canvas.height = cells;
    const image = context.createImageData(cells, cells);
    const where = (k) => ((k + 0.5) / cells - 0.5) * 2 * size;
    const losses = new Float32Array(cells * cells);
    let low = Infinity, high = -Infinity;
    for (let j = 0; j < cells; j++)
      for (let i = 0; i < cells; i++) {
        const loss = grid.at(where(i), -where(j));
        losses[j * cells + i] = loss;
        low = Math.min(low, loss); high = Math.max(high, loss);
      }
    const band = (loss) => Math.floor(BANDS * Math.sqrt((loss - low) / (high - low + 1e-12)));
    for (let j = 0; j < cells; j++)
      for (let i = 0; i < cells; i++) {
        const k = j * cells + i, outside = radius && Math.hypot(where(i) - theta[0], -where(j) - theta[1]) > radius;
        const share = outside ? 0 : Math.min(1, Math.exp(-(losses[k] - least) / alpha));
        const line = (i + 1 < cells && band(losses[k]) !== band(losses[k + 1])) || (j + 1 < cells && band(losses[k]) !== band(losses[k + cells]));
        const ink = line ? 38 : 0;
        image.data.set([255 - 255 * share * 0.9 - ink * (1 - share), 255 - 130 * share - ink * (1 - share), 255 - 60 * share - ink * (1 - share), 255], 4 * k);
      }
    context.putImageData(image, 0, 0);
  }

  const say = (step) => (step ? `(${step.map((value) => value.toFixed(2).replace("-", "−")).join(", ")})` : words.none);

  function draw() {
    const found = landing(grid, theta, alpha, radius || 99);
    const target = radius ? found.place : data.gibbs;
    const mean = target ? [target[0] - theta[0], target[1] - theta[1]] : null;
    const { gradient, newton } = derivatives(grid, theta);
    if (radius || !painted) paint(found.least); // on the whole plane the density stays where it is
    painted = true;
    arrow(marks.mean, mean); arrow(marks.gradient, gradient); arrow(marks.newton, newton);
    place.setAttribute("cx", across(theta[0])); place.setAttribute("cy", up(theta[1]));
    ball.style.display = radius ? "" : "none";
    for (const [key, value] of Object.entries({ cx: across(theta[0]), cy: up(theta[1]), r: radius * unit })) ball.setAttribute(key, value);
    const [gx, gy] = [across(data.lowest[0]), up(data.lowest[1])];
    lowest.setAttribute("d", `M${gx - 6},${gy}H${gx + 6}M${gx},${gy - 6}V${gy + 6}`);
    svg.setAttribute("aria-valuetext", `${theta[0].toFixed(2)}, ${theta[1].toFixed(2)}`);
    svg.setAttribute("aria-valuenow", theta[0].toFixed(2));
    const lines = [[null, "θ", theta], ["mean", words.mean, mean], ["gradient", words.gradient, gradient], ["newton", words.newton, newton]];
    root.querySelector("dl").replaceChildren(...lines.flatMap(([name, word, step]) => {
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = word; value.textContent = say(step);
      if (name) term.className = name;
      return [term, value];
    }));
  }

  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); };
  const tell = () => setStateValue("theta", theta.map((value) => +value.toFixed(2)));

  function where(event) {
    const box = svg.getBoundingClientRect();
    return [clamp(((event.clientX - box.left) / box.width - 0.5) * 2 * size), clamp((0.5 - (event.clientY - box.top) / box.height) * 2 * size)];
  }

  svg.onpointerdown = (event) => { held = true; svg.setPointerCapture(event.pointerId); theta = where(event); soon(); };
  svg.onpointermove = (event) => { if (held) { theta = where(event); soon(); } };
  svg.onpointerup = () => { if (held) { held = false; tell(); } };
  svg.onpointercancel = () => { held = false; };
  svg.onkeydown = (event) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (!step) return;
    event.preventDefault();
    theta = [clamp(theta[0] + step[0]), clamp(theta[1] + step[1])];
    draw();
    tell();
  };
  draw();
  return () => cancelAnimationFrame(waiting);
}
