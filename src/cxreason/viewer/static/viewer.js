// A viewer for chest X-rays at full depth. mountViewer(element, images) fills the element and returns a handle.
// It sends the element three events: viewer:shown when all images have been painted for the first time,
// viewer:failed when one could not be loaded, viewer:used when a tool was used (detail says which).

const STEP = { zoom: 1.25, pan: 40, window: 0.06 };
const KEYS = [
  ["Drag", "window: up and down brightness, left and right contrast"],
  ["Wheel, + and −", "zoom"],
  ["Shift + drag, middle button, arrows", "move"],
  ["Shift + arrows", "window"],
  ["I", "invert"],
  ["B", "boxes on or off"],
  ["R", "reset"],
  ["1 … 9, then 0", "one view, all views"],
  ["Two fingers", "zoom and move"],
];

/** Unpack the bytes of viewer/pixels.py. */
export function unpack(buffer) {
  const head = new DataView(buffer);
  if (buffer.byteLength < 32 || head.getUint32(0, false) !== 0x43584631) throw new Error("no pixels");
  const width = head.getUint32(4, true), height = head.getUint32(8, true), count = width * height;
  if (buffer.byteLength !== 32 + 2 * count) throw new Error("pixels are cut short");
  const low = new Uint8Array(buffer, 32, count), high = new Uint8Array(buffer, 32 + count, count);
  const values = new Uint16Array(count);
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0, value = 0; column < width; column += 1, at += 1) {
      const folded = low[at] | (high[at] << 8);
      value = (value + ((folded >>> 1) ^ -(folded & 1))) & 0xffff;
      values[at] = value;
    }
  }
  return {
    width, height, values, sigmoid: head.getUint32(20, true) === 1, top: head.getUint32(24, true),
    low: head.getFloat32(12, true), high: head.getFloat32(16, true),
  };
}

/** One image in its pane: what it is, how it is looked at, and its drawing. */
class Pane {
  constructor(viewer, image, number) {
    this.viewer = viewer;
    this.image = image;
    this.figure = make("figure", "viewer-pane");
    this.canvas = make("canvas", "viewer-canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.caption = make("figcaption", "viewer-caption", `${number}  ${image.label}`);
    this.state = make("p", "viewer-state", "Loading …");
    this.numbers = make("p", "viewer-numbers");
    this.figure.append(this.canvas, this.caption, this.numbers, this.state);
    this.pointers = new Map();
    this.listen();
    this.describe();
  }

  async load() {
    this.state.hidden = false;
    this.state.textContent = "Loading …";
    try {
      const answer = await fetch(this.image.url, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      this.film = unpack(await answer.arrayBuffer());
    } catch (error) {
      this.state.textContent = "This image could not be loaded. ";
      const again = make("button", "viewer-again", "Try again");
      again.type = "button";
      again.addEventListener("click", () => this.load());
      this.state.append(again);
      this.viewer.tell("failed", { image: this.image.label, reason: String(error.message) });
      return;
    }
    this.picture = document.createElement("canvas");
    this.picture.width = this.film.width;
    this.picture.height = this.film.height;
    this.paint = this.picture.getContext("2d", { alpha: false });
    this.data = this.paint.createImageData(this.film.width, this.film.height);
    this.words = new Uint32Array(this.data.data.buffer);
    this.state.hidden = true;
    this.reset();
    this.shown = true;
    this.viewer.painted();
  }

  reset() {
    if (!this.film) return;
    this.low = this.film.low;
    this.high = this.film.high;
    this.inverted = false;
    this.fit();
    this.stale = true;
    this.draw();
  }

  /** The whole image, in the middle. */
  fit() {
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
  }

  get scale() {
    const { width, height } = this.canvas;
    return this.zoom * Math.min(width / this.film.width, height / this.film.height);
  }

  /** Grey values to screen greys, through a table: one look-up for each pixel. */
  develop() {
    const { values, top, sigmoid } = this.film;
    const table = new Uint32Array(top + 1);
    const span = this.high - this.low;
    for (let value = 0; value <= top; value += 1) {
      let share = span > 0 ? (value - this.low) / span : Number(value > this.low);
      if (sigmoid) share = 1 / (1 + Math.exp(Math.min(700, Math.max(-700, 2 - 4 * share))));
      let grey = Math.round(255 * Math.min(1, Math.max(0, share)));
      if (this.inverted) grey = 255 - grey;
      table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    const words = this.words;
    for (let at = 0; at < values.length; at += 1) words[at] = table[values[at]];
    this.paint.putImageData(this.data, 0, 0);
    this.stale = false;
  }

  draw() {
    if (this.waiting || !this.film) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (!this.canvas.width || this.figure.hidden) return;
      if (this.stale) this.develop();
      const context = this.canvas.getContext("2d", { alpha: false });
      const { width, height } = this.canvas, scale = this.scale;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      const left = (width - this.film.width * scale) / 2 + this.x;
      const top = (height - this.film.height * scale) / 2 + this.y;
      context.imageSmoothingQuality = "high";
      context.imageSmoothingEnabled = scale < 4;
      context.drawImage(this.picture, left, top, this.film.width * scale, this.film.height * scale);
      if (this.viewer.boxes) this.drawBoxes(context, left, top, scale);
      this.describe();
    });
  }

  drawBoxes(context, left, top, scale) {
    const ratio = devicePixelRatio || 1;
    context.lineWidth = 2 * ratio;
    context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
    for (const box of this.image.boxes || []) {
      const x = left + box.x1 * this.film.width * scale, y = top + box.y1 * this.film.height * scale;
      context.strokeStyle = "#ffd84d";
      context.strokeRect(x, y, (box.x2 - box.x1) * this.film.width * scale, (box.y2 - box.y1) * this.film.height * scale);
      context.lineJoin = "round";
      context.strokeStyle = "#000";
      context.strokeText(box.label, x + 4 * ratio, Math.max(y - 5 * ratio, 14 * ratio));
      context.fillStyle = "#ffd84d";
      context.fillText(box.label, x + 4 * ratio, Math.max(y - 5 * ratio, 14 * ratio));
    }
  }

  describe() {
    const label = `${this.image.label}, chest X-ray`;
    if (!this.film) {
      this.canvas.setAttribute("aria-label", `${label}, not loaded`);
      return;
    }
    const level = Math.round((this.low + this.high) / 2), width = Math.round(this.high - this.low);
    this.numbers.textContent = `L ${level}  W ${width}  ×${this.zoom.toFixed(1)}${this.inverted ? "  inverted" : ""}`;
    this.canvas.setAttribute("aria-label", `${label}. ${this.numbers.textContent}`);
  }

  // What is done to a view

  window(brighter, contrast) {
    if (!this.film) return;
    const span = Math.max(this.high - this.low, 1), middle = (this.low + this.high) / 2 - brighter * span;
    const wide = Math.min(Math.max(span * Math.exp(-contrast), 2), 4 * (this.film.top + 1));
    const limit = this.film.top + 1;
    const level = Math.min(Math.max(middle, -limit / 2), 1.5 * limit);
    this.low = level - wide / 2;
    this.high = level + wide / 2;
    this.stale = true;
    this.draw();
  }

  move(dx, dy) {
    if (!this.film) return;
    const roomX = (this.canvas.width + this.film.width * this.scale) / 2 - 40;
    const roomY = (this.canvas.height + this.film.height * this.scale) / 2 - 40;
    this.x = Math.min(Math.max(this.x + dx, -roomX), roomX);
    this.y = Math.min(Math.max(this.y + dy, -roomY), roomY);
    this.draw();
  }

  /** Zoom about a point of the canvas, which stays where it is. */
  zoomBy(factor, atX = this.canvas.width / 2, atY = this.canvas.height / 2) {
    if (!this.film) return;
    const zoom = Math.min(Math.max(this.zoom * factor, 0.5), 24), real = zoom / this.zoom;
    const fromX = atX - this.canvas.width / 2, fromY = atY - this.canvas.height / 2;
    this.x = fromX - (fromX - this.x) * real;
    this.y = fromY - (fromY - this.y) * real;
    this.zoom = zoom;
    this.move(0, 0);
  }

  invert() {
    this.inverted = !this.inverted;
    this.stale = true;
    this.draw();
  }

  // Mouse, pen and fingers

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 2) return;
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.tool = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "window" : this.viewer.tool;
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(kind, (event) => {
        if (this.pointers.delete(event.pointerId) && this.used) this.viewer.tell("used", { tool: this.used });
        this.used = "";
      });
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => this.viewer.toggleOnly(this));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const ratio = devicePixelRatio || 1, frame = canvas.getBoundingClientRect();
      const at = [(event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio];
      this.zoomBy(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 300), ...at);
    }, { passive: false });
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.film) return;
    const ratio = devicePixelRatio || 1, frame = this.canvas.getBoundingClientRect();
    const dx = event.clientX - before.x, dy = event.clientY - before.y;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (others.length) {
      const far = (from) => Math.hypot(from.x - others[0].x, from.y - others[0].y);
      const now = { x: event.clientX, y: event.clientY };
      const middle = [(now.x + others[0].x) / 2 - frame.left, (now.y + others[0].y) / 2 - frame.top];
      this.zoomBy(far(now) / Math.max(far(before), 1), middle[0] * ratio, middle[1] * ratio);
      this.move((dx / 2) * ratio, (dy / 2) * ratio);
      this.used = "zoom";
    } else if (this.tool === "pan") {
      this.move(dx * ratio, dy * ratio);
      this.used = "pan";
    } else if (this.tool === "zoom") {
      this.zoomBy(Math.exp(-dy / 150));
      this.used = "zoom";
    } else {
      this.window(-dy / 300, dx / 300);
      this.used = "window";
    }
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio), height = Math.round(this.canvas.clientHeight * ratio);
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.draw();
  }
}

/** All panes with their toolbar. */
class Viewer {
  constructor(root, images, options) {
    this.root = root;
    this.tool = matchMedia("(pointer: coarse)").matches ? "pan" : "window";
    this.boxes = options.boxes !== false;
    this.only = null;
    root.classList.add("viewer");
    this.panes = images.map((image, number) => new Pane(this, image, number + 1));
    this.grid = make("div", "viewer-grid");
    this.grid.append(...this.panes.map((pane) => pane.figure));
    root.replaceChildren(this.toolbar(), this.grid, this.help());
    root.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => this.panes.forEach((pane) => pane.resize()));
    this.observer.observe(this.grid);
    this.narrow = matchMedia("(max-width: 44rem)");
    this.narrow.addEventListener("change", () => this.choose(this.narrow.matches ? this.panes[0] : null));
    this.choose(this.narrow.matches && this.panes.length ? this.panes[0] : null);
    this.panes.forEach((pane) => pane.load());
    if (!this.panes.length) this.painted();
  }

  toolbar() {
    const bar = make("div", "viewer-bar");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Viewer");
    this.buttons = {};
    const button = (name, text, title, act, toggles = false) => {
      const one = make("button", "viewer-button", text);
      one.type = "button";
      one.title = title;
      if (toggles) one.setAttribute("aria-pressed", "false");
      one.addEventListener("click", act);
      this.buttons[name] = one;
      return one;
    };
    const group = (label, ...parts) => {
      const box = make("div", "viewer-group");
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", label);
      box.append(...parts);
      return box;
    };
    const pick = (tool) => () => { this.tool = tool; this.show(); };
    bar.append(
      group(
        "What dragging does",
        button("window", "Window", "Drag changes brightness and contrast", pick("window"), true),
        button("pan", "Move", "Drag moves the image", pick("pan"), true),
        button("zoom", "Zoom", "Drag up or down zooms", pick("zoom"), true),
      ),
      group(
        "Image",
        button("invert", "Invert", "Invert (I)", () => this.act("invert"), true),
        button("reset", "Reset", "Reset (R)", () => this.act("reset")),
      ),
    );
    this.boxGroup = group("Boxes", button("boxes", "Boxes", "Boxes on or off (B)", () => this.act("boxes"), true));
    bar.append(this.boxGroup);
    this.offerBoxes();
    if (this.panes.length > 1) {
      const one = (pane, number) =>
        button(`view-${number}`, pane.image.short || pane.image.label, `${pane.image.label} (${number + 1})`, () => this.choose(pane), true);
      bar.append(group("Views", button("all", "All", "All views (0)", () => this.choose(null), true), ...this.panes.map(one)));
    }
    const help = button("help", "?", "Keys and gestures (?)", () => this.act("help"));
    help.setAttribute("aria-label", "Keys and gestures");
    bar.append(help);
    return bar;
  }

  help() {
    this.dialog = make("dialog", "viewer-help");
    this.dialog.setAttribute("aria-label", "Keys and gestures");
    const list = document.createElement("dl");
    for (const [key, meaning] of KEYS) list.append(make("dt", "", key), make("dd", "", meaning));
    const close = make("button", "viewer-button", "Close");
    close.type = "button";
    close.addEventListener("click", () => this.dialog.close());
    this.dialog.append(make("h2", "", "Keys and gestures"), list, close);
    return this.dialog;
  }

  show() {
    const pressed = (name, state) => this.buttons[name]?.setAttribute("aria-pressed", String(Boolean(state)));
    for (const tool of ["window", "pan", "zoom"]) pressed(tool, this.tool === tool);
    pressed("invert", this.seen().length && this.seen().every((pane) => pane.inverted));
    pressed("boxes", this.boxes);
    pressed("all", !this.only);
    this.panes.forEach((pane, number) => pressed(`view-${number}`, this.only === pane));
  }

  seen() {
    return this.panes.filter((pane) => !pane.figure.hidden);
  }

  /** Show one pane alone, or all of them. */
  choose(pane) {
    this.only = pane;
    for (const one of this.panes) one.figure.hidden = Boolean(pane) && one !== pane;
    const seen = this.seen().length;
    this.grid.dataset.panes = String(Math.min(seen, 4));
    this.seen().forEach((one) => { one.resize(); one.draw(); });
    this.show();
  }

  toggleOnly(pane) {
    if (this.panes.length > 1) this.choose(this.only ? null : pane);
  }

  /** The panes that a key or button acts on: the focused one, or all that are seen. */
  targets() {
    const focused = this.panes.filter((pane) => pane.canvas === document.activeElement);
    return focused.length ? focused : this.seen();
  }

  act(name) {
    if (name === "help") this.dialog.open ? this.dialog.close() : this.dialog.showModal();
    if (name === "boxes") { this.boxes = !this.boxes; this.panes.forEach((pane) => pane.draw()); }
    if (name === "invert") this.targets().forEach((pane) => pane.invert());
    if (name === "reset") this.targets().forEach((pane) => pane.reset());
    this.show();
    if (name !== "help") this.tell("used", { tool: name });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.dialog.open) return;
    const onImage = event.target instanceof HTMLCanvasElement, each = (act) => this.targets().forEach(act);
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const letter = { i: "invert", r: "reset", b: "boxes", "?": "help" }[event.key.toLowerCase()];
    if (letter) this.act(letter);
    else if (event.key === "+" || event.key === "=") each((pane) => pane.zoomBy(STEP.zoom));
    else if (event.key === "-") each((pane) => pane.zoomBy(1 / STEP.zoom));
    else if (event.key === "0") this.choose(null);
    else if (/^[1-9]$/.test(event.key) && this.panes[event.key - 1]) this.choose(this.panes[event.key - 1]);
    else if (onImage && arrows[event.key]) {
      const [x, y] = arrows[event.key];
      if (event.shiftKey) each((pane) => pane.window(-y * STEP.window, x * STEP.window));
      else each((pane) => pane.move(-x * STEP.pan, -y * STEP.pan));
    } else return;
    event.preventDefault();
    // A view that was hidden cannot keep the focus.
    if (onImage && event.target.offsetParent === null) this.seen()[0]?.canvas.focus({ preventScroll: true });
  }

  painted() {
    if (this.ready || !this.panes.every((pane) => pane.shown)) return;
    this.ready = true;
    // Two frames later the pixels are on the screen, not only in the canvas.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      this.root.dataset.shown = "true";
      this.tell("shown", { images: this.panes.length });
    }));
  }

  tell(name, detail) {
    this.root.dispatchEvent(new CustomEvent(`viewer:${name}`, { detail, bubbles: true }));
  }

  /** Other boxes on a view, which keeps its window and its place. */
  setBoxes(number, boxes) {
    this.panes[number].image.boxes = boxes;
    this.offerBoxes();
    this.panes[number].draw();
  }

  /** Their switch is there where there are boxes. */
  offerBoxes() {
    this.boxGroup.hidden = !this.panes.some((pane) => (pane.image.boxes || []).length);
  }

  focus() {
    this.seen()[0]?.canvas.focus();
  }

  remove() {
    this.observer.disconnect();
    this.root.replaceChildren();
    delete this.root.dataset.shown;
  }
}

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

/** Fill `root` with a viewer of `images`: [{ url, label, short, boxes: [{ label, x1, y1, x2, y2 }] }]. */
export function mountViewer(root, images, options = {}) {
  return new Viewer(root, images, options);
}
