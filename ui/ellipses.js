// Ellipses to drag in a plane of codes; the best decoder D*(z) follows, exactly, in the browser.
// D*(z) is the mean of the pictures weighted by the densities of their ellipses at z. Python hears of
// the ellipses once, when one is released.
const SVG = "http://www.w3.org/2000/svg";
const SIDE = 32;
const TILES = 11;
const VIEW = 240; // units of the drawing across the plane

function element(parent, name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.appendChild(node);
  return node;
}

// Shares of the pictures at z; in the log domain, so that they are finite everywhere.
function shares(ellipses, z) {
  const logs = ellipses.map(([x, y, a, b]) => -0.5 * (((z[0] - x) / a) ** 2 + ((z[1] - y) / b) ** 2) - Math.log(a * b));
  const top = Math.max(...logs);
  const parts = logs.map((log) => Math.exp(log - top));
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}

function decode(pictures, weights) {
  const out = new Float32Array(SIDE * SIDE);
  pictures.forEach((picture, k) => {
    if (weights[k] > 1e-4) for (let i = 0; i < out.length; i++) out[i] += weights[k] * picture[i];
  });
  return out;
}

function sharpness(picture) {
  let sum = 0;
  for (let row = 0; row < SIDE; row++)
    for (let column = 0; column < SIDE; column++) {
      const at = row * SIDE + column;
      if (column + 1 < SIDE) sum += (picture[at + 1] - picture[at]) ** 2;
      if (row + 1 < SIDE) sum += (picture[at + SIDE] - picture[at]) ** 2;
    }
  return sum;
}

function paint(canvas, picture, left = 0, top = 0) {
  const context = canvas.getContext("2d");
  const tile = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < picture.length; i++) {
    const gray = 255 * (1 - Math.min(Math.max(picture[i], 0), 1));
    tile.data.set([gray, gray, gray, 255], 4 * i);
  }
  context.putImageData(tile, left, top);
}

// Means over the pictures: squared error, KL and lost sharpness, by quadrature in every ellipse.
function meters({ pictures, nodes }, ellipses, sharp) {
  let error = 0, kl = 0, kept = 0;
  ellipses.forEach(([x, y, a, b], k) => {
    kl += 0.5 * (x * x + y * y + a * a + b * b - 2 * Math.log(a * b) - 2);
    for (const [first, second, weight] of nodes) {
      const picture = decode(pictures, shares(ellipses, [x + a * first, y + b * second]));
      let gap = 0;
      for (let i = 0; i < picture.length; i++) gap += (picture[i] - pictures[k][i]) ** 2;
      error += weight * gap;
      kept += (weight * sharpness(picture)) / sharp[k];
    }
  });
  const n = ellipses.length;
  return { error: error / n, kl: kl / n, blur: 1 - kept / n };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".codespace");
  const svg = root.querySelector("svg");
  const map = root.querySelector(".plane canvas");
  const close = root.querySelector(".side canvas");
  const pictures = data.pictures.map((row) => Float32Array.from(row, (level) => level / 255));
  const sharp = pictures.map(sharpness);
  const ellipses = data.ellipses.map((row) => [...row]);
  let probe = [0, 0];
  let held = null;
  map.width = map.height = TILES * SIDE;
  close.width = close.height = SIDE;
  svg.setAttribute("viewBox", `0 0 ${VIEW} ${VIEW}`);
  const unit = VIEW / (2 * data.reach);
  const across = (x) => VIEW / 2 + x * unit;
  const up = (y) => VIEW / 2 - y * unit;
  const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);

  svg.replaceChildren();
  for (const radius of [1, 2]) element(svg, "circle", { cx: across(0), cy: up(0), r: radius * unit, class: "prior" });
  const drawn = ellipses.map((_, k) => {
    const body = element(svg, "ellipse", { class: "ellipse", tabindex: 0, role: "slider", "aria-label": `${data.words.ellipse} ${data.names[k]}` });
    const right = element(svg, "circle", { r: 5, class: "axis" });
    const top = element(svg, "circle", { r: 5, class: "axis up" });
    const name = element(svg, "text", { class: "name" });
    name.textContent = data.names[k];
    const grab = (part) => (event) => { held = { k, part }; svg.setPointerCapture(event.pointerId); event.stopPropagation(); event.preventDefault(); body.focus(); };
    body.onpointerdown = grab("center");
    right.onpointerdown = grab("a");
    top.onpointerdown = grab("b");
    body.onkeydown = (event) => pressed(event, k);
    return { body, right, top, name };
  });
  const mark = element(svg, "circle", { r: 5, class: "probe" });

  function place() {
    ellipses.forEach(([x, y, a, b], k) => {
      const { body, right, top, name } = drawn[k];
      const set = (node, values) => { for (const [key, value] of Object.entries(values)) node.setAttribute(key, value); };
      set(body, { cx: across(x), cy: up(y), rx: a * unit, ry: b * unit, "aria-valuetext": `${x.toFixed(2)}, ${y.toFixed(2)}; ${a.toFixed(2)}, ${b.toFixed(2)}`, "aria-valuenow": x.toFixed(2) });
      set(right, { cx: across(x + a), cy: up(y) });
      set(top, { cx: across(x), cy: up(y + b) });
      set(name, { x: across(x), y: up(y) });
    });
    mark.setAttribute("cx", across(probe[0]));
    mark.setAttribute("cy", up(probe[1]));
  }

  function look() {
    const weights = shares(ellipses, probe);
    paint(close, decode(pictures, weights));
    const found = meters({ pictures, nodes: data.nodes }, ellipses, sharp);
    const parts = weights.map((w, k) => `${data.names[k]} ${(100 * w).toFixed(0)} %`).join("  ");
    root.querySelector("output").textContent =
      `z = (${probe[0].toFixed(2)}, ${probe[1].toFixed(2)})\n${parts}\n\n` +
      `${data.words.error}: ${found.error.toFixed(2)}\n${data.words.kl}: ${found.kl.toFixed(2)}\n` +
      `${data.words.loss}: ${(found.error + found.kl).toFixed(2)}\n${data.words.blur}: ${(100 * found.blur).toFixed(0)} %`;
  }

  function draw() {
    place();
    for (let row = 0; row < TILES; row++)
      for (let column = 0; column < TILES; column++) {
        const at = (k) => ((k + 0.5) / TILES - 0.5) * 2 * data.reach;
        paint(map, decode(pictures, shares(ellipses, [at(column), -at(row)])), column * SIDE, row * SIDE);
      }
    look();
  }

  let waiting = 0;
  const soon = (what) => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(what); };
  const tell = () => setStateValue("ellipses", ellipses.map((row) => row.map((value) => +value.toFixed(2)).join(",")).join(";"));

  function pressed(event, k) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    const row = ellipses[k];
    if (event.shiftKey) { row[2] = clamp(row[2] + 0.1 * dx, data.stds); row[3] = clamp(row[3] + 0.1 * dy, data.stds); }
    else { row[0] = clamp(row[0] + 0.1 * dx, [-data.reach, data.reach]); row[1] = clamp(row[1] + 0.1 * dy, [-data.reach, data.reach]); }
    draw();
    tell();
  }

  function where(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width - 0.5) * 2 * data.reach;
    const y = (0.5 - (event.clientY - box.top) / box.height) * 2 * data.reach;
    return [clamp(x, [-data.reach, data.reach]), clamp(y, [-data.reach, data.reach])];
  }

  svg.onpointermove = (event) => {
    const [x, y] = where(event);
    if (!held) { probe = [x, y]; soon(() => { place(); look(); }); return; }
    const row = ellipses[held.k];
    if (held.part === "center") { row[0] = x; row[1] = y; }
    if (held.part === "a") row[2] = clamp(Math.abs(x - row[0]), data.stds);
    if (held.part === "b") row[3] = clamp(Math.abs(y - row[1]), data.stds);
    soon(draw);
  };
  svg.onpointerdown = (event) => { probe = where(event); soon(() => { place(); look(); }); };
  svg.onpointerup = () => { if (held) { held = null; draw(); tell(); } };
  svg.onpointercancel = () => { held = null; };
  draw();
}
