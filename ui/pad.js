// A sheet to draw on. Strokes stay in the browser until the reader is done with them.

const SIDE = 256; // pixels of the picture
const WIDTH = 18; // of a stroke

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas");
  const [take, wipe] = parentElement.querySelectorAll("button");
  const context = canvas.getContext("2d");
  canvas.setAttribute("aria-label", data.words.draw);
  take.textContent = data.words.take;
  wipe.textContent = data.words.wipe;

  function clear() {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, SIDE, SIDE);
  }

  if (canvas.width !== SIDE || canvas.height !== SIDE) { // a page that is drawn again keeps the ink
    canvas.width = canvas.height = SIDE;
    clear();
  }

  let last = null;
  function pointed(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }
  function stroke(to) {
    Object.assign(context, { lineWidth: WIDTH, lineCap: "round", strokeStyle: "#000000" });
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...to);
    context.stroke();
    last = to;
  }
  canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); last = pointed(event); stroke(last); };
  canvas.onpointermove = (event) => { if (last) stroke(pointed(event)); };
  canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
  wipe.onclick = clear;
  take.onclick = () => setStateValue("drawn", canvas.toDataURL("image/png"));
}
