// The page of `cxreason serve`: images in, a question, the answer as it comes.

import { mountViewer } from "/viewer/viewer.js";
import { Reply, agreement, make } from "/static/answer.js";
import { Refusal, call, events } from "/static/stream.js";

const at = (id) => document.getElementById(id);
const MOST_TRIES = 5;
const FRESH = { example: "", images: [] };

let about = null;
/** What is shown: images {id, name, label, view, file}, and the example that they are, if they are one. */
let shown = FRESH;
let viewer = null;
let asked = null;
/** Ends when the images are as they were last told to be. */
let settled = Promise.resolve();

// Images

/** One change of the images after the other, in the order in which they came: none is lost. */
function inTurn(change) {
  settled = settled.then(change);
  return settled;
}

async function upload(file) {
  const answer = await call("/api/images", { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  const told = await answer.json();
  return { id: told.id, name: file.name, view: told.view, file };
}

async function take(files) {
  const chosen = [...files].slice(0, 2);
  if (!chosen.length) return;
  fail("");
  stop();
  await inTurn(async () => {
    const state = at("upload-state");
    state.textContent = chosen.length > 1 ? "Reading two images …" : "Reading the image …";
    try {
      // Two that are dropped together replace what is shown; so does one, unless one is shown that is not an example.
      const joins = chosen.length === 1 && shown.images.length === 1 && !shown.example;
      const images = [];
      for (const file of chosen) images.push(await upload(file));
      show({ example: "", images: joins ? [...shown.images, ...images] : images });
      state.textContent = files.length > 2 ? "Only the first two were taken." : "";
    } catch (error) {
      state.textContent = "";
      fail(sentenceOf(error));
    }
  });
}

async function takeExample(name) {
  fail("");
  stop();
  await inTurn(() => showExample(name));
}

async function showExample(name) {
  try {
    const told = await (await call(`/api/examples/${encodeURIComponent(name)}`, { method: "POST" })).json();
    const images = told.images.map((one, number) => ({ id: one.id, name: told.title, view: one.view, label: told.labels[number], file: null }));
    const course = told.ask.type === "course";
    document.querySelector(`[name=relation][value=${course ? "course" : "views"}]`).checked = true;
    show({ example: name, images });
    at("type").value = told.ask.type;
    at("finding").value = told.ask.finding || "";
    fitForm();
    const report = told.report ? [make("details", "", make("summary", "", "What its report says"), make("p", "", told.report))] : [];
    at("origin").replaceChildren(`Example: ${told.note} `, ...report);
  } catch (error) {
    fail(sentenceOf(error));
  }
}

function labels() {
  const course = relation() === "course" && shown.images.length === 2;
  return shown.images.map((image, number) => {
    if (course) return number ? "Current" : "Earlier";
    if (image.view) return image.view === "LATERAL" ? "Lateral" : image.view;
    return shown.images.length > 1 ? `Image ${number + 1}` : "Chest X-ray";
  });
}

function relation() {
  return document.querySelector("[name=relation]:checked").value;
}

function show(next) {
  stop();
  shown = next;
  clearAnswer();
  at("origin").replaceChildren();
  at("examples").value = shown.example;
  draw();
}

function draw() {
  viewer?.remove();
  const names = labels();
  viewer = mountViewer(at("viewer"), shown.images.map((image, number) => ({
    url: `/api/images/${encodeURIComponent(image.id)}/pixels`, label: names[number], boxes: [],
  })));
  at("shelf").hidden = Boolean(shown.example);
  at("relation").hidden = shown.images.length !== 2;
  at("images").replaceChildren(...shown.images.map((image, number) => {
    const away = make("button", "plain", "Remove");
    away.type = "button";
    away.setAttribute("aria-label", `Remove ${image.name}`);
    away.addEventListener("click", () => remove(number));
    const name = make("span", "name", image.name);
    name.title = image.name;
    return make("li", "", name, away);
  }));
}

function remove(number) {
  const [gone] = shown.images.splice(number, 1);
  fetch(`/api/images/${encodeURIComponent(gone.id)}`, { method: "DELETE" });
  show({ example: "", images: shown.images });
  at("files").focus();
}

// The form

function type() {
  return about.types.find((one) => one.name === at("type").value);
}

function fitForm() {
  const way = type();
  const wanted = [...way.needs, ...way.takes];
  for (const field of document.querySelectorAll("[data-for]")) field.hidden = !wanted.includes(field.dataset.for);
  at("type-help").textContent = way.help;
  at("options-hint").textContent = way.needs.includes("options") ? "" : "if it is a choice";
  if (way.needs.includes("prior") && relation() !== "course" && shown.images.length === 2) {
    document.querySelector("[name=relation][value=course]").checked = true;
    draw();
  }
}

function question() {
  const way = type(), wanted = [...way.needs, ...way.takes];
  const text = (name) => (wanted.includes(name) ? at(name).value.trim() : "");
  return {
    images: shown.images.map((image) => image.id),
    type: way.name,
    finding: text("finding"),
    question: text("question"),
    indication: text("indication"),
    options: text("options").split("\n").map((line) => line.trim()).filter(Boolean),
    mode: document.querySelector("[name=mode]:checked").value,
    num_samples: Number(at("samples").value),
  };
}

/** The first field that is needed and empty, with what to do about it. */
function missing(body) {
  if (!body.images.length) return [at("files"), "Choose an image first."];
  const way = type();
  if (way.needs.includes("prior") && body.images.length !== 2) return [at("files"), "This question compares two images: choose the earlier and the current one."];
  if (way.needs.includes("finding") && !body.finding) return [at("finding"), "Name a finding."];
  if (way.needs.includes("question") && !body.question) return [at("question"), "Write a question."];
  if (way.needs.includes("options") && body.options.length < 2) return [at("options"), "Give at least two options, one in each line."];
  return null;
}

// Asking

async function ask() {
  await settled;
  fail("");
  const body = question(), lacking = missing(body);
  if (lacking) {
    fail(lacking[1]);
    lacking[0].focus();
    return;
  }
  stop();
  const mine = new AbortController();
  asked = mine;
  busy(true);
  try {
    await insist(body, mine);
    at("answer-title").focus({ preventScroll: true });
    if (matchMedia("(max-width: 62rem)").matches) at("answer").scrollIntoView({ block: "start" });
  } catch (error) {
    if (error.name !== "AbortError") fail(sentenceOf(error));
  } finally {
    if (asked === mine) {
      asked = null;
      busy(false);
    }
  }
}

/** Ask; come again where the server is full, and send the images again where it has forgotten them. */
async function insist(body, mine) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listen(body, mine.signal);
    } catch (error) {
      if (!(error instanceof Refusal) || attempt === MOST_TRIES) throw error;
      if (error.status === 404 && attempt === 1) {
        await sendAgain(mine.signal);
        body.images = shown.images.map((image) => image.id);
      } else if (error.status === 429) {
        await wait(error.retrySeconds || 2, mine.signal);
      } else throw error;
    }
  }
}

async function sendAgain(signal) {
  const images = [];
  if (shown.example) {
    const told = await (await call(`/api/examples/${encodeURIComponent(shown.example)}`, { method: "POST" })).json();
    shown.images.forEach((image, number) => images.push({ ...image, id: told.images[number].id }));
  } else {
    for (const image of shown.images) images.push({ ...image, id: (await upload(image.file)).id });
  }
  signal.throwIfAborted(); // other images are shown by now
  shown = { ...shown, images };
}

async function wait(seconds, signal) {
  for (let left = seconds; left > 0; left -= 1) {
    at("progress").textContent = `The server is busy. Asking again in ${left} s …`;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (signal.aborted) throw new DOMException("stopped", "AbortError");
  }
}

async function listen(body, signal) {
  const several = body.num_samples > 1, direct = body.mode === "direct";
  const replies = Array.from({ length: body.num_samples }, (_, number) => new Reply(number, several, direct));
  const progress = at("progress");
  let broken = "", done = false, num_ended = 0;
  progress.textContent = "Asking …";
  await events("/api/ask", body, {
    waiting: ({ before }) => { progress.textContent = before ? `Waiting: ${before} before you …` : "Thinking …"; },
    started: ({ prompt }) => {
      clearAnswer();
      at("prompt").textContent = prompt;
      at("replies").replaceChildren(...replies.map((reply) => reply.root));
      at("answer").hidden = false;
      progress.textContent = "Writing …";
    },
    token: ({ sample, text }) => replies[sample].token(text),
    sentence: (told) => replies[told.sample].sentence(told),
    answer: (told) => {
      num_ended += 1;
      replies[told.sample].end(told);
      at("legend").hidden = at("legend").hidden && !document.querySelector("#replies .chip");
      if (several) progress.textContent = `Writing … ${num_ended} of ${body.num_samples} replies`;
      if (told.boxes.length && (told.sample === 0 || !several)) drawBoxes(told.boxes, body);
    },
    agreement: (told) => at("agreement").replaceChildren(...agreement(told)),
    done: ({ seconds, num_tokens }) => {
      done = true;
      progress.textContent = "";
      at("cost").textContent = `${seconds.toFixed(1)} s, ${num_tokens} tokens.`;
    },
    error: ({ message }) => { broken = message; },
  }, signal);
  if (broken) throw new Refusal(broken, 0, 0);
  if (!done) throw new Refusal("The answer broke off.", 0, 0);
}

/** Boxes are about the current image of two examinations, and else about the first view. */
function drawBoxes(boxes, body) {
  const named = boxes.map((box) => ({ ...box, label: box.label || body.finding }));
  viewer.setBoxes(relation() === "course" ? shown.images.length - 1 : 0, named);
}

function clearAnswer() {
  at("answer").hidden = true;
  at("legend").hidden = true;
  for (const id of ["agreement", "replies", "cost", "prompt"]) at(id).replaceChildren();
  viewer?.panes.forEach((_, number) => viewer.setBoxes(number, []));
}

function stop() {
  asked?.abort();
  asked = null;
  busy(false);
}

function busy(now) {
  at("go").disabled = now;
  at("stop").hidden = !now;
  if (now) return;
  at("progress").textContent = "";
  document.querySelectorAll(".writing").forEach((one) => one.classList.remove("writing"));
}

function fail(message) {
  at("trouble").textContent = message;
  at("trouble").hidden = !message;
}

function sentenceOf(error) {
  const text = error instanceof Refusal ? error.message : `Something went wrong on this page: ${error.message}`;
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(whole) ? whole : `${whole}.`;
}

// Beginning

async function begin() {
  about = await (await call("/api/about")).json();
  at("model").textContent = about.model;
  at("notice").textContent = about.notice;
  at("about").textContent = about.about;
  at("about").hidden = !about.about;
  const choice = (value, text) => {
    const one = make("option", "", text);
    one.value = value;
    return one;
  };
  at("type").replaceChildren(...about.types.map((one) => choice(one.name, one.title)));
  at("findings").replaceChildren(...about.findings.map((name) => choice(name, "")));
  const counts = [1, 3, 5, 8].filter((count) => count <= about.limits.most_samples);
  at("samples").replaceChildren(...counts.map((count) => choice(String(count), count === 1 ? "1" : `${count}, to see if they agree`)));
  at("examples").replaceChildren(choice("", "none"), ...about.examples.map((one) => choice(one.name, one.title)));
  fitForm();
  const [first] = about.examples;
  if (first && !shown.images.length) await takeExample(first.name);
}

at("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
at("ask").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});
at("stop").addEventListener("click", () => { stop(); at("go").focus(); });
at("type").addEventListener("change", fitForm);
at("files").addEventListener("change", () => { take(at("files").files).then(() => { at("files").value = ""; }); });
at("examples").addEventListener("change", () => (at("examples").value ? takeExample(at("examples").value) : show(FRESH)));
at("swap").addEventListener("click", () => { show({ example: "", images: [...shown.images].reverse() }); });
document.querySelectorAll("[name=relation]").forEach((one) => one.addEventListener("change", draw));

let depth = 0;
const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", (event) => { if (carriesFiles(event)) { depth += 1; at("drop-over").hidden = false; } });
addEventListener("dragleave", (event) => { if (carriesFiles(event)) { depth -= 1; at("drop-over").hidden = depth > 0; } });
addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  at("drop-over").hidden = true;
  take(event.dataTransfer.files);
});
addEventListener("paste", (event) => { if (event.clipboardData?.files.length) take(event.clipboardData.files); });

begin().catch((error) => fail(sentenceOf(error)));
