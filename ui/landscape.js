// A point to drag in a landscape of losses, and a temperature to slide. The density of updates, its
// mean, minus the gradient and Newton's step follow in the browser, from the losses on a grid that
// came with the data; on the whole plane the mean at the temperature that Python knows came with it,
// too, since it ends in the same place wherever one stands. Python hears of both on release, and then
// says the exact numbers.
const SVG = "http://www.w3.org/2000/svg";
const VIEW = 400; // units of the drawing across the window
const PIXELS = 200; // of the density's picture, across

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

// Where one lands on average, over the nodes within the radius: first their least loss, then the sums.
function landing({ values, cells, reach, step }, [x, y], alpha, radius) {
  const first = (low) => Math.max(0, Math.ceil((low + reach) / step));
  const last = (high) => Math.min(cells - 1, Math.floor((high + reach) / step));
  const left = first(x - radius), right = last(x + radius), top = first(-y - radius), bottom = last(-y + radius);
  function each(visit) {
    for (let j = top; j <= bottom; j++)
      for (let i = left; i <= right; i++) {
        const px = -reach + i * step, py = reach - j * step;
        if ((px - x) ** 2 + (py - y) ** 2 <= radius ** 2) visit(px, py, values[j * cells + i]);
      }
  }
  let least = Infinity, total = 0, sx = 0, sy = 0;
  each((px, py, loss) => { least = Math.min(least, loss); });
  each((px, py, loss) => {
    const weight = Math.exp(-(loss - least) / alpha);
    total += weight; sx += weight * px; sy += weight * py;
  });
  return { place: total ? [sx / total, sy / total] : [x, y], least };
}

// The losses of the picture's pixels: they know neither point nor temperature.
function pixels({ at }, size) {
  const where = (k) => ((k + 0.5) / PIXELS - 0.5) * 2 * size;
  const losses = Float32Array.from({ length: PIXELS ** 2 }, (_, k) => at(where(k % PIXELS), -where(Math.floor(k / PIXELS))));
  return { losses, where };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".landscape");
  const svg = root.querySelector("svg");
  const canvas = root.querySelector("canvas");
  const grid = field(data.field);
  const slider = root.querySelector("input");
  const { radius, words } = data;
  const size = data.field.window;
  const { losses, where } = pixels(grid, size);
  let theta = data.at.slice(0, 2);
  let alpha = 10 ** data.at[2];
  let held = false;
  let painted = false;
  canvas.width = canvas.height = PIXELS;
  Object.assign(slider, { min: data.low, max: data.high, step: data.step, value: data.at[2] });
  slider.setAttribute("aria-label", words.alpha);
  svg.setAttribute("viewBox", `0 0 ${VIEW} ${VIEW}`);
  svg.setAttribute("tabindex", 0);
  svg.setAttribute("role", "slider");
  svg.setAttribute("aria-label", words.place);
  const unit = VIEW / (2 * size);
  const across = (x) => VIEW / 2 + x * unit, up = (y) => VIEW / 2 - y * unit;
  const clamp = (value) => Math.min(Math.max(value, -size), size);

  svg.replaceChildren();
  const line = (points) => `M${points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join("L")}`;
  element(svg, "path", { class: "level", d: data.field.contours.map(line).join("") });
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

  // The density as blue over white; in a ball nothing outside of it.
  function paint(least) {
    const context = canvas.getContext("2d"), image = context.createImageData(PIXELS, PIXELS), ink = image.data;
    for (let k = 0, at = 0; k < losses.length; k++) {
      const x = where(k % PIXELS), y = -where(Math.floor(k / PIXELS));
      const outside = radius && (x - theta[0]) ** 2 + (y - theta[1]) ** 2 > radius ** 2;
      const share = outside ? 0 : Math.min(1, Math.exp(-(losses[k] - least) / alpha));
      ink[at++] = 255 - 229.5 * share; ink[at++] = 255 - 130 * share; ink[at++] = 255 - 60 * share; ink[at++] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  const say = (step) => (step ? `(${step.map((value) => value.toFixed(2).replace("-", "−")).join(", ")})` : words.none);

  function draw() {
    const found = landing(grid, theta, alpha, radius || 99);
    const target = radius || +slider.value !== data.at[2] ? found.place : data.gibbs;
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
    const rows = [[null, "θ", theta], ["mean", words.mean, mean], ["gradient", words.gradient, gradient], ["newton", words.newton, newton]];
    root.querySelector("output").textContent = `${words.alpha} = ${(+slider.value).toFixed(1).replace("-", "−")}`;
    root.querySelector("dl").replaceChildren(...rows.flatMap(([name, word, step]) => {
      const term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = word; value.textContent = say(step);
      if (name) term.className = name;
      return [term, value];
    }));
  }

  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); };
  const tell = () => setStateValue("at", [...theta.map((value) => +value.toFixed(2)), +slider.value]);

  function pointed(event) {
    const box = svg.getBoundingClientRect();
    return [clamp(((event.clientX - box.left) / box.width - 0.5) * 2 * size), clamp((0.5 - (event.clientY - box.top) / box.height) * 2 * size)];
  }

  svg.onpointerdown = (event) => { held = true; svg.setPointerCapture(event.pointerId); theta = pointed(event); soon(); };
  svg.onpointermove = (event) => { if (held) { theta = pointed(event); soon(); } };
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
  slider.oninput = () => { alpha = 10 ** slider.value; painted = false; soon(); };
  slider.onchange = tell;
  draw();
  return () => cancelAnimationFrame(waiting);
}
