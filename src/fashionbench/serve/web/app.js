// The page: a picture or a drawing goes to /predict, the answers are shown, /why explains them.

const $ = (id) => document.getElementById(id);
const percent = (p) => (p > 0 && p < 0.001 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);

const state = { about: null, found: null, mask: null, model: 0, chosen: null, pictures: [], picture: null, asked: 0, shown: 0 };

// What is shown: the answers by all masks together, or by the one that was tapped.
const shown = () => (state.mask === null ? state.found : state.found.masks[state.mask]);

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

// --- Pictures as the models see them --------------------------------------------------------

// In color they come as three times rows, in grey as rows.
function paint(canvas, pixels, mix = (colour) => colour) {
  const colours = Array.isArray(pixels[0][0]) ? pixels : [pixels, pixels, pixels];
  const [red, green, blue] = colours.map((rows) => rows.flat());
  canvas.width = canvas.height = colours[0].length;
  const image = new ImageData(canvas.width, canvas.height);
  red.forEach((_, i) => image.data.set([...mix([red[i], green[i], blue[i]], i), 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const dimmed = (colour) => colour.map((value) => 0.45 * value);

function paintWhy(pixels, importance) {
  const values = importance.flat();
  const most = Math.max(...values.map(Math.abs), 1e-9);
  paint($("why"), pixels, (colour, i) => {
    const share = Math.abs(values[i]) / most;
    const hue = values[i] > 0 ? [86, 180, 233] : [230, 159, 0];
    return dimmed(colour).map((value, part) => value * (1 - share) + hue[part] * share);
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

// To `follow` is to move the page to the answer: not while somebody draws.
async function ask(send, follow = true) {
  const mine = ++state.asked;
  $("result").setAttribute("aria-busy", "true");
  try {
    const found = await send();
    if (mine !== state.asked) return;
    show(found);
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

// Several photos are asked about two at a time; the first is shown, the others when they are chosen.
async function askFiles(files) {
  const pictures = [...files].map(queue);
  if (pictures.length === 0) return;
  unmark();
  state.pictures = pictures;
  const waiting = pictures.values();
  const work = async () => {
    for (const picture of waiting) {
      picture.begin();
      await picture.answer.catch(() => null);
      if (state.pictures !== pictures) return;
    }
  };
  choosePicture(pictures[0]);
  work();
  work();
}

function queue(file) {
  const picture = { file };
  const begun = new Promise((begin) => (picture.begin = begin));
  picture.answer = begun.then(() => {
    const form = new FormData();
    form.append("picture", file, "picture");
    return request("/predict", { method: "POST", body: form });
  });
  return picture;
}

function choosePicture(picture) {
  state.picture = picture;
  picture.begin();
  showPictures();
  return ask(() => picture.answer);
}

// What is `known` of them is a preview, or the true class of a test image.
function askPixels(pixels, known = {}, follow = true) {
  state.pictures = [];
  showPictures();
  return ask(async () => ({ ...(await post("/predict", { pixels })), preview: null, ...known }), follow);
}

// --- Showing --------------------------------------------------------------------------------

function showPictures() {
  const several = state.pictures.length > 1;
  $("pictures").hidden = !several;
  $("pictures").replaceChildren(...(several ? state.pictures.map(pictureThumb) : []));
}

function pictureThumb(picture) {
  const said = element("span", { className: "true", textContent: "…" });
  const button = element("button", { type: "button", title: picture.file.name ?? "" }, element("span", { className: "waiting" }), said);
  if (picture === state.picture) button.setAttribute("aria-current", "true");
  picture.answer.then(
    (found) => {
      button.firstChild.replaceWith(element("img", { src: found.preview, alt: "" }));
      said.textContent = found.items.length ? `${found.items.length} things` : say(found.answers[state.chosen ?? found.rely_on]);
    },
    () => (said.textContent = "cannot be read"),
  );
  button.addEventListener("click", () => choosePicture(picture));
  return element("li", {}, button);
}

function show(found) {
  Object.assign(state, { found, mask: null, model: state.chosen ?? found.rely_on });
  $("problem").hidden = $("empty").hidden = true;
  $("answer").hidden = false;
  showPicture();
  showItems();
  showMasks();
  showMask();
}

function showPicture() {
  const photo = $("photo");
  $("own").hidden = !state.found.preview;
  $("boxes").replaceChildren();
  if (!state.found.preview) return photo.removeAttribute("src");
  photo.onload = () => {
    const [width, height] = [photo.naturalWidth, photo.naturalHeight];
    $("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
    $("boxes").replaceChildren(
      ...state.found.items.map(({ box: [left, top, right, bottom] }) => {
        const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        const sides = { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height };
        for (const [name, value] of Object.entries(sides)) made.setAttribute(name, value);
        return made;
      }),
    );
  };
  photo.src = state.found.preview;
}

const either = (names) => [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" or ");
const say = ({ sure, label, remaining }) => (sure ? label : `Not sure: ${either(remaining)}`);

function showItems() {
  $("items").hidden = state.found.items.length === 0;
  $("items").replaceChildren(
    ...state.found.items.map(({ answer }) =>
      element("li", { textContent: `${say(answer)}, ${percent(answer.chances[0].probability)}` }),
    ),
  );
}

const WAYS = { grabcut: "by color", salient: "by what stands out", "salient+grabcut": "by both in turn" };

function showMasks() {
  const { masks, mask, items } = state.found;
  $("masks").hidden = masks.length < 2 || items.length > 0;
  $("ways").replaceChildren(
    way(null, "all together", `shown: ${WAYS[mask] ?? mask}`),
    ...masks.map((found, index) => way(index, WAYS[found.mask] ?? found.mask, say(found.answers[state.model]), found.prepared)),
  );
}

function way(index, name, said, pixels) {
  const choice = element("input", { type: "radio", name: "mask", checked: index === state.mask });
  choice.addEventListener("change", () => {
    state.mask = index;
    showMask();
  });
  const made = element("label", { className: "way" }, choice);
  if (pixels) {
    const canvas = element("canvas");
    canvas.setAttribute("aria-hidden", "true");
    paint(canvas, pixels);
    made.append(canvas);
  }
  made.append(element("span", {}, name, element("span", { className: "soft", textContent: said })));
  return made;
}

function showMask() {
  paint($("prepared"), shown().prepared);
  showCards();
  showModel();
}

function showModel() {
  const answer = shown().answers[state.model];
  const { sure, chances } = answer;
  const { warnings, items, truth } = state.found;
  const by = state.about.models.length > 1 ? `, by ${answer.name}` : "";
  $("verdict").replaceChildren(
    items.length ? `${items.length} things` : `${say(answer)} `,
    element("small", { textContent: items.length ? "" : percent(chances[0].probability) + by }),
  );
  $("answer").classList.toggle("unsure", !sure || warnings.length > 0);
  const doubts = sure || warnings.length > 0 ? warnings : ["No class stands out, so do not rely on this."];
  const trueClass = truth ? `The true class is ${truth}.` : "";
  $("doubt").textContent = [trueClass, ...doubts, items.length ? "" : others()].join(" ").trim();
  $("bars").hidden = items.length > 0;
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
  const { answers } = shown();
  const said = answers[state.model].label;
  const rest = answers.filter((answer) => answer.model !== state.model);
  if (rest.length === 0) return "";
  const contrary = rest.filter((answer) => answer.label !== said);
  if (contrary.length === 0) return rest.length === 1 ? "The other model agrees." : "All models agree.";
  return contrary.map((answer) => `${answer.name} says ${answer.label}`).join(", ") + ".";
}

async function showWhy({ class_index, name }) {
  const { model } = state;
  const { prepared } = shown();
  const { is_photo } = state.found;
  const asked = () => prepared === shown().prepared && model === state.model;
  $("why").setAttribute("aria-label", `Which pixels speak for and against ${name}`);
  paint($("why"), prepared, dimmed);
  try {
    const { importance } = await post("/why", { pixels: prepared, is_photo, model, class_index });
    if (asked()) paintWhy(prepared, importance);
  } catch (error) {
    if (asked()) complain(error.message);
  }
}

function showCards() {
  if (state.about.models.length < 2) return;
  $("models").hidden = false;
  $("cards").replaceChildren(
    ...state.about.models.map((about, index) => {
      const answer = state.found && shown().answers[index];
      const choice = element("input", {
        type: "radio",
        name: "model",
        value: index,
        checked: index === state.model,
        disabled: !answer,
      });
      choice.addEventListener("change", () => {
        state.model = state.chosen = index;
        showMasks();
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
      const mean = about.runs > 1 ? ` (mean of its ${about.runs} runs: ${percent(about.mean_accuracy)})` : "";
      const right = about.test_accuracy === null ? "" : `${percent(about.test_accuracy)} of the test images${mean}, `;
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
    askPixels(pixels, { truth: label });
  });
  return element("li", {}, button);
}

const unmark = () => $("thumbs").querySelector("[aria-current]")?.removeAttribute("aria-current");

// --- Photos: choose, drop, paste, camera ------------------------------------------------------

for (const input of [$("file"), $("capture")]) {
  input.addEventListener("change", () => {
    askFiles(input.files);
    input.value = "";
  });
}

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") askFiles(event.dataTransfer.files);
  });
}

document.addEventListener("paste", (event) => {
  askFiles([...event.clipboardData.files].filter(({ type, name }) => type.startsWith("image/") || /\.(heic|heif|hif)$/i.test(name)));
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
  still.toBlob((blob) => askFiles([blob]), "image/jpeg", 0.92);
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

// The drawing cut out, centred, its longer side that of the images of the data set.
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
  const side = state.about.size;
  const step = Math.max(right - left, bottom - top) / side;
  const [x0, y0] = [(left + right - step * side) / 2, (top + bottom - step * side) / 2];
  const mean = (column, row) => {
    let [sum, count] = [0, 0];
    for (let y = Math.floor(y0 + row * step); y < y0 + (row + 1) * step; y++)
      for (let x = Math.floor(x0 + column * step); x < x0 + (column + 1) * step; x++, count++)
        sum += x >= 0 && y >= 0 && x < size && y < size ? light[y * size + x] : 0;
    return Math.round(sum / count);
  };
  const line = [...Array(side).keys()];
  return line.map((row) => line.map((column) => mean(column, row)));
}

function askDrawing() {
  const pixels = drawnPixels();
  if (drawing.keyboard) renderCursor();
  unmark();
  if (pixels) askPixels(pixels, { preview: board.toDataURL() }, false);
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
  const what = about.finds_items ? " of one piece of clothing" : "";
  $("lead").textContent = `Give a picture${what}. ${who} what it is, and which pixels mattered.`;
  $("shirt").toggleAttribute("hidden", !about.finds_items);
  $("advice").hidden = !about.finds_items;
  $("tabs").hidden = about.channels > 1; // a drawing is grey
  $("prepared").setAttribute("aria-label", `What the models see: ${about.size} by ${about.size} pixels`);
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
