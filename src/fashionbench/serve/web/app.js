// The page: a picture or a drawing goes to /predict, the answers are shown, /why explains them.

const SIDE = 28;
const $ = (id) => document.getElementById(id);
const percent = (p) => (p > 0 && p < 0.001 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);

const state = { about: null, answers: null, prepared: null, warnings: [], model: 0, chosen: null, asked: 0, shown: 0 };

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function bar(probability) {
  const filled = element("span");
  filled.style.width = `${100 * probability}%`;
  const made = element("span", { className: "bar" }, filled);
  made.setAttribute("aria-hidden", "true");
  return made;
}

// --- Pictures of 28x28 pixels -------------------------------------------------------------

function paint(canvas, pixels, colour = (value) => [value, value, value]) {
  canvas.width = canvas.height = SIDE;
  const image = new ImageData(SIDE, SIDE);
  pixels.flat().forEach((value, i) => image.data.set([...colour(value, i), 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function paintWhy(pixels, importance) {
  const values = importance.flat();
  const most = Math.max(...values.map(Math.abs), 1e-9);
  paint($("why"), pixels, (value, i) => {
    const share = Math.abs(values[i]) / most;
    const hue = values[i] > 0 ? [86, 180, 233] : [230, 159, 0];
    return hue.map((part) => 0.45 * value * (1 - share) + part * share);
  });
}

// --- Asking ---------------------------------------------------------------------------------

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer; is it still running?");
  }
  const answer = await response.json().catch(() => ({ detail: "The server's answer cannot be read." }));
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

const post = (address, question) =>
  request(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
  });

// `source` is the address of the picture to show beside the answer, or null for none. To `follow`
// is to move the page to the answer: not while somebody draws.
async function ask(send, source, follow = true) {
  const mine = ++state.asked;
  $("result").setAttribute("aria-busy", "true");
  try {
    const found = await send();
    if (mine !== state.asked) return;
    const { answers, prepared, warnings, rely_on } = found;
    Object.assign(state, { answers, prepared, warnings, model: state.chosen ?? rely_on });
    showPicture(source);
    show();
    if (follow) bringIntoView();
  } catch (error) {
    if (mine === state.asked) complain(error.message);
  } finally {
    if (mine === state.asked) $("result").removeAttribute("aria-busy");
  }
}

function complain(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = false;
  bringIntoView();
}

function askFile(file) {
  if (!file) return;
  const form = new FormData();
  form.append("picture", file, "picture");
  unmark();
  ask(() => request("/predict", { method: "POST", body: form }), URL.createObjectURL(file));
}

const askPixels = (pixels, ...how) => ask(() => post("/predict", { pixels }), ...how);

// --- Showing --------------------------------------------------------------------------------

function showPicture(source) {
  const photo = $("photo");
  if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
  $("own").hidden = source === null;
  if (source === null) photo.removeAttribute("src");
  else photo.src = source;
}

function show() {
  $("problem").hidden = $("empty").hidden = true;
  $("answer").hidden = false;
  paint($("prepared"), state.prepared);
  showCards();
  showModel();
}

function showModel() {
  const { label, sure, chances } = state.answers[state.model];
  $("verdict").replaceChildren(
    sure ? `${label} ` : `Not sure: perhaps ${label} `,
    element("small", { textContent: percent(chances[0].probability) }),
  );
  $("answer").classList.toggle("unsure", !sure || state.warnings.length > 0);
  const doubts = sure ? state.warnings : [...state.warnings, "No class stands out, so do not rely on this."];
  $("doubt").textContent = [...doubts, others()].join(" ");
  $("bars").replaceChildren(
    ...chances.map(({ name, probability }) =>
      element(
        "li",
        {},
        element("span", { textContent: name }),
        bar(probability),
        element("span", { className: "percent", textContent: percent(probability) }),
      ),
    ),
  );
  showWhy(chances[0]);
}

function others() {
  const said = state.answers[state.model].label;
  const rest = state.answers.filter((answer) => answer.model !== state.model);
  if (rest.length === 0) return "";
  const contrary = rest.filter((answer) => answer.label !== said);
  if (contrary.length === 0) return rest.length === 1 ? "The other model agrees." : "All models agree.";
  return contrary.map((answer) => `${answer.name} says ${answer.label}`).join(", ") + ".";
}

async function showWhy({ class_index, name }) {
  const { model, prepared } = state;
  const shown = () => prepared === state.prepared && model === state.model;
  $("why").setAttribute("aria-label", `Which pixels speak for and against ${name}`);
  paint($("why"), prepared, (value) => [0.45 * value, 0.45 * value, 0.45 * value]);
  try {
    const { importance } = await post("/why", { pixels: prepared, model, class_index });
    if (shown()) paintWhy(prepared, importance);
  } catch (error) {
    if (shown()) complain(error.message);
  }
}

function showCards() {
  if (state.about.models.length < 2) return;
  $("models").hidden = false;
  $("cards").replaceChildren(
    ...state.about.models.map((about, index) => {
      const answer = state.answers?.[index];
      const choice = element("input", {
        type: "radio",
        name: "model",
        value: index,
        checked: index === state.model,
        disabled: !answer,
      });
      choice.addEventListener("change", () => {
        state.model = state.chosen = index;
        showModel();
      });
      const card = element(
        "label",
        { className: "card" },
        choice,
        element("span", { className: "who", textContent: about.name }),
      );
      if (answer) {
        const said = answer.sure ? answer.label : `perhaps ${answer.label}`;
        const probability = answer.chances[0].probability;
        card.append(
          element(
            "span",
            { className: "says" },
            element("span", { textContent: said }),
            element("span", { className: "percent", textContent: percent(probability) }),
          ),
          bar(probability),
        );
      }
      const right = about.test_accuracy === null ? "" : `${percent(about.test_accuracy)} of the test images, `;
      const facts = `${about.label}, seed ${about.seed}: ${right}${about.parameters.toLocaleString("en")} parameters`;
      card.append(element("span", { className: "facts", textContent: facts }));
      return card;
    }),
  );
}

function bringIntoView() {
  const top = $("result").getBoundingClientRect().top;
  if (top < 0 || top > 0.7 * window.innerHeight) $("result").scrollIntoView();
}

// --- Test images on which the models disagree ------------------------------------------------

async function showDisagreements() {
  const found = await request(`/disagreements?start=${state.shown}`);
  state.shown += found.length;
  $("thumbs").append(...found.map(thumb));
  $("more").hidden = state.shown >= state.about.disagreements;
}

function thumb({ index, label, called, pixels }) {
  const canvas = element("canvas");
  canvas.setAttribute("aria-hidden", "true");
  paint(canvas, pixels);
  const calls = called.map((call, model) => `${state.about.models[model].name}: ${call}`);
  const button = element(
    "button",
    { type: "button", title: `Test image ${index}` },
    canvas,
    element("span", { className: "true", textContent: label }),
    ...calls.map((textContent) => element("span", { textContent })),
  );
  button.addEventListener("click", () => {
    unmark();
    button.setAttribute("aria-current", "true");
    askPixels(pixels, null);
  });
  return element("li", {}, button);
}

const unmark = () => $("thumbs").querySelector("[aria-current]")?.removeAttribute("aria-current");

// --- Photos: choose, drop, paste, camera ------------------------------------------------------

for (const input of [$("file"), $("capture")]) {
  input.addEventListener("change", () => {
    askFile(input.files[0]);
    input.value = "";
  });
}

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") askFile(event.dataTransfer.files[0]);
  });
}

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
  if (file) askFile(file);
});

let openings = 0; // so that a camera allowed after it was given up is let go again

async function openCamera() {
  // Only a page of this machine or of https may use the camera; a phone then brings its own.
  if (!navigator.mediaDevices) return $("capture").click();
  const mine = ++openings;
  let stream;
  try {
    const video = { facingMode: "environment", width: { ideal: 1280 } };
    stream = await navigator.mediaDevices.getUserMedia({ video });
  } catch {
    if (mine !== openings) return;
    return complain("The camera cannot be used; allow it in the browser, or choose a photo.");
  }
  if (mine !== openings) return stream.getTracks().forEach((track) => track.stop());
  $("video").srcObject = stream;
  $("drop").hidden = true;
  $("viewfinder").hidden = false;
  $("shoot").focus();
}

function closeCamera() {
  openings += 1;
  $("video").srcObject?.getTracks().forEach((track) => track.stop());
  $("video").srcObject = null;
  $("viewfinder").hidden = true;
  $("drop").hidden = false;
}

function shoot() {
  const video = $("video");
  if (!video.videoWidth) return;
  const still = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  still.getContext("2d").drawImage(video, 0, 0);
  still.toBlob(askFile, "image/jpeg", 0.92);
  closeCamera();
}

$("camera").addEventListener("click", openCamera);
$("close").addEventListener("click", closeCamera);
$("shoot").addEventListener("click", shoot);

// --- Drawings -----------------------------------------------------------------------------------

const board = $("canvas");
const LINE = 235;
const CLOTH = 190;
const drawing = { strokes: [], cursor: [140, 140], down: false, keyboard: false };

function render() {
  const pen = board.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, board.width, board.height);
  pen.strokeStyle = `rgb(${LINE}, ${LINE}, ${LINE})`;
  pen.lineCap = pen.lineJoin = "round";
  for (const { width, points } of drawing.strokes) {
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(...points[0]);
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
  }
}

function renderCursor() {
  render();
  const pen = board.getContext("2d");
  const [x, y] = drawing.cursor;
  pen.lineWidth = 2;
  pen.strokeStyle = drawing.down ? "#e69f00" : "#6cb8ea";
  pen.strokeRect(x - 6, y - 6, 12, 12);
}

function begin(point) {
  drawing.strokes.push({ width: Number($("pen").value), points: [point] });
  render();
}

function extend(point) {
  drawing.strokes.at(-1).points.push(point);
  render();
}

// What cannot be reached from the edge is inside an outline, and is filled with cloth.
function filled(light, size) {
  const outside = new Uint8Array(light.length);
  const waiting = [];
  const visit = (x, y) => {
    const i = y * size + x;
    if (x < 0 || y < 0 || x >= size || y >= size || outside[i] || light[i] > 127) return;
    outside[i] = 1;
    waiting.push([x, y]);
  };
  for (let i = 0; i < size; i++) [[i, 0], [i, size - 1], [0, i], [size - 1, i]].forEach((p) => visit(...p));
  while (waiting.length) {
    const [x, y] = waiting.pop();
    [[x + 1, y], [x - 1, y], [x, y + 1], [x, y - 1]].forEach((p) => visit(...p));
  }
  return light.map((value, i) => (outside[i] ? value : Math.max(value, CLOTH)));
}

// The drawing cut out, centred, its longer side 28 pixels: as the images of the data set are.
function drawnPixels() {
  render();
  const size = board.width;
  const data = board.getContext("2d").getImageData(0, 0, size, size).data;
  let light = Uint8Array.from({ length: size * size }, (_, i) => data[4 * i]);
  if ($("fill").checked) light = filled(light, size);
  let [left, top, right, bottom] = [size, size, 0, 0];
  light.forEach((value, i) => {
    if (value < 32) return;
    const [x, y] = [i % size, Math.floor(i / size)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
  });
  if (right <= left) return null;
  const step = Math.max(right - left, bottom - top) / SIDE;
  const [x0, y0] = [(left + right - step * SIDE) / 2, (top + bottom - step * SIDE) / 2];
  const mean = (column, row) => {
    let [sum, count] = [0, 0];
    for (let y = Math.floor(y0 + row * step); y < y0 + (row + 1) * step; y++)
      for (let x = Math.floor(x0 + column * step); x < x0 + (column + 1) * step; x++, count++)
        sum += x >= 0 && y >= 0 && x < size && y < size ? light[y * size + x] : 0;
    return Math.round(sum / count);
  };
  const line = [...Array(SIDE).keys()];
  return line.map((row) => line.map((column) => mean(column, row)));
}

function askDrawing() {
  const pixels = drawnPixels();
  if (drawing.keyboard) renderCursor();
  unmark();
  if (pixels) askPixels(pixels, board.toDataURL(), false);
}

function place(event) {
  const box = board.getBoundingClientRect();
  const scale = board.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

board.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return; // a palm or a second finger draws nothing
  drawing.keyboard = drawing.down = false;
  board.setPointerCapture(event.pointerId);
  begin(place(event));
});
board.addEventListener("pointermove", (event) => {
  if (board.hasPointerCapture(event.pointerId)) extend(place(event));
});
for (const kind of ["pointerup", "pointercancel"])
  board.addEventListener(kind, (event) => event.isPrimary && askDrawing());

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
board.addEventListener("keydown", (event) => {
  const move = MOVES[event.key];
  if (!move && event.key !== " ") return;
  event.preventDefault();
  drawing.keyboard = true;
  if (move) {
    drawing.cursor = drawing.cursor.map((at, axis) => Math.min(275, Math.max(5, at + 10 * move[axis])));
    if (drawing.down) extend(drawing.cursor);
  } else {
    drawing.down = !drawing.down;
    if (drawing.down) begin(drawing.cursor);
    else askDrawing();
  }
  renderCursor();
});

function redraw(strokes) {
  Object.assign(drawing, { strokes, down: false });
  render();
  askDrawing();
}

$("undo").addEventListener("click", () => redraw(drawing.strokes.slice(0, -1)));
$("clear").addEventListener("click", () => redraw([]));
$("fill").addEventListener("change", askDrawing);

// --- Tabs, and the start ------------------------------------------------------------------------

const tabs = [$("tab-photo"), $("tab-draw")];

function choose(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab !== tabs[0]) closeCamera();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", ({ key }) => {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const other = tabs[1 - tabs.indexOf(tab)];
    choose(other);
    other.focus();
  });
}

async function start() {
  render();
  const about = (state.about = await request("/models"));
  const trained = about.title ? ` trained on ${about.title}` : "";
  const who = about.models.length === 1 ? `A model${trained} says` : `${about.models.length} models${trained} say`;
  $("lead").textContent = `Give a picture of one piece of clothing. ${who} what it is, and which pixels mattered.`;
  $("report").hidden = !about.report;
  $("version").textContent = `fashionbench ${about.version}`;
  showCards();
  if (about.disagreements) {
    $("disagree-count").textContent = `${about.disagreements.toLocaleString("en")} test images are called differently by these models. Choose one to see why; its true class stands below it.`;
    $("disagreements").hidden = false;
    await showDisagreements();
  }
}

$("more").addEventListener("click", () => showDisagreements().catch((error) => complain(error.message)));
start().catch((error) => complain(error.message));
