// A map of decoded codes to walk on. The decoder is a small dense net whose weights came with the
// data: every picture is decoded here, exactly where the reader points. Python hears of the place on
// release.
const SVG = "http://www.w3.org/2000/svg";
const TILES = 13;
const VIEW = 260;
const ways = new WeakMap(); // what was drawn last on each map

function element(parent, name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.appendChild(node);
  return node;
}

// Rows of [weight, bias] as whole numbers times one factor.
function unpack({ rows, factor, numbers }) {
  const bytes = Uint8Array.from(atob(numbers), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const values = Float32Array.from({ length: bytes.length / 2 }, (_, i) => factor * view.getInt16(2 * i, true));
  return { rows, columns: values.length / rows, values };
}

function decoder(layers, stretch) {
  return (code) => {
    let x = code.map((value) => stretch * value);
    layers.forEach(({ rows, columns, values }, depth) => {
      const out = new Float32Array(rows);
      for (let row = 0; row < rows; row++) {
        let sum = values[row * columns + columns - 1];
        for (let k = 0; k < columns - 1; k++) sum += values[row * columns + k] * x[k];
        out[row] = depth + 1 < layers.length ? sum / (1 + Math.exp(-sum)) : sum; // SiLU
      }
      x = out;
    });
    return x;
  };
}

function paint(canvas, picture, side, left = 0, top = 0) {
  const context = canvas.getContext("2d");
  const tile = context.createImageData(side, side);
  for (let i = 0; i < picture.length; i++) {
    const gray = 255 * (1 - Math.min(Math.max(picture[i], 0), 1));
    tile.data.set([gray, gray, gray, 255], 4 * i);
  }
  context.putImageData(tile, left, top);
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".codespace");
  const svg = root.querySelector("svg");
  const map = root.querySelector(".plane canvas");
  const close = root.querySelector(".side canvas");
  const play = root.querySelector("button");
  const decode = decoder(data.layers.map(unpack), data.scale);
  const { side, reach } = data;
  let place = [...data.place];
  // Python answers a way with its last place, and this function runs again: the way goes on.
  const drawn = ways.get(root) ?? [];
  const told = drawn.at(-1)?.every((value, axis) => Math.abs(value - place[axis]) < 0.006);
  let way = told ? drawn : [place];
  let held = false;
  let timer = 0;
  map.width = map.height = TILES * side;
  close.width = close.height = side;
  svg.setAttribute("viewBox", `0 0 ${VIEW} ${VIEW}`);
  svg.setAttribute("tabindex", 0);
  svg.setAttribute("aria-label", data.words.map);
  const unit = VIEW / (2 * reach);
  const across = (x) => VIEW / 2 + x * unit;
  const up = (y) => VIEW / 2 - y * unit;

  const at = (k) => ((k + 0.5) / TILES - 0.5) * 2 * reach;
  for (let row = 0; row < TILES; row++)
    for (let column = 0; column < TILES; column++) paint(map, decode([at(column), -at(row)]), side, column * side, row * side);
  svg.replaceChildren();
  for (const radius of [1, 2]) element(svg, "circle", { cx: across(0), cy: up(0), r: radius * unit, class: "prior" });
  for (const [x, y] of data.centers) element(svg, "circle", { cx: across(x), cy: up(y), r: 2, class: "center" });
  const line = element(svg, "polyline", { class: "way" });
  const mark = element(svg, "circle", { r: 6, class: "probe" });

  function nearest() {
    const gaps = data.centers.map(([x, y]) => (x - place[0]) ** 2 + (y - place[1]) ** 2);
    return data.names[gaps.indexOf(Math.min(...gaps))];
  }

  function look() {
    mark.setAttribute("cx", across(place[0]));
    mark.setAttribute("cy", up(place[1]));
    line.setAttribute("points", way.map(([x, y]) => `${across(x)},${up(y)}`).join(" "));
    paint(close, decode(place), side);
    root.querySelector("output").textContent = `z = (${place[0].toFixed(2)}, ${place[1].toFixed(2)})\n${data.words.nearest} ${nearest()}`;
  }

  const tell = () => { ways.set(root, way); setStateValue("place", place.map((value) => +value.toFixed(2))); };
  const inside = (value) => Math.min(Math.max(value, -reach), reach);
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = data.words.play; };

  function where(event) {
    const box = svg.getBoundingClientRect();
    return [inside(((event.clientX - box.left) / box.width - 0.5) * 2 * reach), inside((0.5 - (event.clientY - box.top) / box.height) * 2 * reach)];
  }

  svg.onpointerdown = (event) => { stop(); held = true; svg.setPointerCapture(event.pointerId); place = where(event); way = [place]; look(); };
  svg.onpointermove = (event) => { if (held) { place = where(event); way.push(place); look(); } };
  svg.onpointerup = () => { if (held) { held = false; tell(); } };
  svg.onkeydown = (event) => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (!step) return;
    event.preventDefault();
    place = [inside(place[0] + step[0]), inside(place[1] + step[1])];
    way.push(place);
    look();
    tell();
  };

  // Plays the way that was drawn; where there is none yet, once around the middle.
  play.textContent = data.words.play;
  play.onclick = () => {
    if (timer) { stop(); return; }
    if (way.length < 3) way = Array.from({ length: 121 }, (_, k) => [1.5 * Math.cos((k * Math.PI) / 60), 1.5 * Math.sin((k * Math.PI) / 60)]);
    let step = 0;
    play.textContent = data.words.stop;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    timer = setInterval(() => {
      place = way[Math.min(step, way.length - 1)];
      look();
      if (step >= way.length) stop();
      step += calm ? 10 : 1;
    }, calm ? 800 : 60);
  };
  look();
  return () => clearInterval(timer);
}
