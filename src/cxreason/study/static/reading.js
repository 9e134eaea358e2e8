// A reading in the browser: shows the images, saves what is written while it is written, sends what happened.
// Everything that is sent has an id made here, and is sent again with the same id until there is a receipt.
import { mountViewer } from "/viewer/viewer.js";

const told = JSON.parse(document.getElementById("told").textContent);
const find = (id) => document.getElementById(id);
const clock = () => Math.round(performance.now() * 10) / 10;
const uuid = () => (crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(""));
const forms = { report: find("report"), answers: find("answers") };
const steps = told.steps.filter((step) => forms[step]);
const SAVE_AFTER = 700, BEAT = 15000, MOST = 150;

// What is kept in this tab until the server has it: a reload or a crash of the tab loses nothing either.
const kept = {
  key: `cxreason:${told.reading}`,
  read() { try { return JSON.parse(sessionStorage.getItem(this.key)) || {}; } catch { return {}; } },
  write() {
    const words = {};
    for (const step of steps) if (work[step].dirty) words[step] = { said: said(step), base: work[step].base };
    const value = { page: told.page, flight: outbox.flight, older: outbox.older, waiting: outbox.waiting, words };
    try { sessionStorage.setItem(this.key, JSON.stringify(value)); } catch { /* private mode: the server's copy is all there is */ }
  },
  clear() { try { sessionStorage.removeItem(this.key); } catch { /* nothing was kept */ } },
};

const work = Object.fromEntries(["report", "answers"].map((step) => [step, { base: told.state[step].base, closed: told.state[step].closed, dirty: false }]));
const outbox = { waiting: [], older: null, flight: null, submit: null, busy: false, wait: 0, timer: 0, stopped: false };
const gone = new Set(told.again ? [] : steps.filter((step) => work[step].closed));
let edited = false;

// What stands in the forms

function said(step) {
  if (step === "report") return { text: find("text").value };
  const values = {};
  for (const field of forms.answers.elements) {
    if (field.name && (field.type !== "radio" || field.checked) && field.value) values[field.name] = field.value;
  }
  return { values };
}

function put(step, words) {
  if (step === "report" && words.text !== undefined) find("text").value = words.text;
  if (step === "answers" && words.values) {
    for (const field of forms.answers.elements) {
      if (!field.name) continue;
      if (field.type === "radio") field.checked = words.values[field.name] === field.value;
      else field.value = words.values[field.name] || "";
    }
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// Sending

function note(kind, detail, at = clock()) {
  outbox.waiting.push({ id: uuid(), kind, t: at, ...(detail ? { detail } : {}) });
  if (outbox.waiting.length > 1000) outbox.waiting.splice(1, outbox.waiting.length - 1000);
}

function words(kind, step) {
  return { id: uuid(), kind, t: clock(), step, base: work[step].base, ...said(step), ...(told.again ? { again: true } : {}) };
}

/** Take what waits into one batch, which stays the same however often it has to be sent. */
function load() {
  if (!outbox.flight && outbox.older) [outbox.flight, outbox.older] = [outbox.older, null];
  if (outbox.flight) return outbox.flight;
  const events = outbox.waiting.splice(0, MOST);
  for (const step of steps) {
    if (work[step].dirty && outbox.submit !== step && (!work[step].closed || told.again)) {
      events.push(words("save", step));
      work[step].dirty = false;
    }
  }
  if (outbox.submit) {
    events.push(words("submit", outbox.submit));
    work[outbox.submit].dirty = false;
    outbox.submit = null;
  }
  if (events.length) outbox.flight = { page: told.page, events };
  return outbox.flight;
}

/** Whether a batch saves or submits something, beside what only happened. */
const holdsWords = (batch) => Boolean(batch?.events.some((one) => one.step));

async function post(batch, last = false) {
  return fetch(`/read/${told.reading}/events`, {
    method: "POST", credentials: "same-origin", keepalive: last, signal: last ? undefined : AbortSignal.timeout(20000),
    headers: { "Content-Type": "application/json", "X-CSRF-Token": told.csrf }, body: JSON.stringify(batch),
  });
}

async function pump() {
  clearTimeout(outbox.timer);
  if (outbox.busy || outbox.stopped) return;
  outbox.busy = true;
  try {
    while (!outbox.stopped && load()) {
      kept.write();
      if (holdsWords(outbox.flight)) tell("Saving …");
      let answer;
      try {
        answer = await post(outbox.flight);
      } catch {
        later();
        return;
      }
      if (answer.status >= 500 || answer.status === 429) { later(); return; }
      if (!answer.ok) { await refused(answer); continue; }
      const receipt = await answer.json();
      const flight = outbox.flight;
      outbox.flight = null;
      outbox.wait = 0;
      settle(flight, receipt);
      kept.write();
    }
  } finally {
    outbox.busy = false;
  }
}

function later() {
  outbox.wait = Math.min(15000, (outbox.wait || 500) * 2);
  tell("Not saved yet: no connection. Trying again …", true);
  clearTimeout(outbox.timer);
  // Not all at once: a server that comes back would meet every reader in the same moment.
  outbox.timer = setTimeout(pump, outbox.wait * (0.5 + Math.random() / 2));
}

async function refused(answer) {
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 422 && problem.problems) {
    outbox.flight.events = outbox.flight.events.filter((one) => one.id !== problem.event);
    if (!outbox.flight.events.length) outbox.flight = null;
    enable(true);
    complain(problem.problems);
    return;
  }
  outbox.stopped = true;
  kept.write();
  if (answer.status === 401) trouble("You are logged out. What you wrote is kept in this tab: log in again and it is here.", [["Log in", () => { location.href = "/login"; }]]);
  else trouble("This page is too old to save. What you wrote is kept in this tab.", [["Reload", () => location.reload()]]);
  tell("Not saved", true);
}

/** Understand a receipt: what stands now, and whether another window was quicker. */
function settle(flight, receipt) {
  const became = Object.fromEntries(receipt.acks.map((ack) => [ack.id, ack]));
  for (const event of flight.events) {
    const ack = became[event.id];
    if (!event.step || !ack) continue;
    if (ack.status === "stored" || ack.status === "known") {
      work[event.step].base = Math.max(work[event.step].base, ack.seq);
      if (event.kind === "submit") { work[event.step].closed = true; submitted(event.step); }
      continue;
    }
    const standing = receipt.state[event.step];
    if (ack.status === "closed" || (standing.closed && !told.again)) { elsewhere(event.step); return; }
    if (same(said(event.step), { text: standing.text, values: standing.values })) { work[event.step].base = standing.base; continue; }
    clash(event.step, standing, event.kind === "submit");
    return;
  }
  if (holdsWords(flight)) tell(`Saved ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
}

function clash(step, standing, wasSubmit) {
  outbox.stopped = true;
  enable(true);
  tell("Not saved: changed in another window", true);
  trouble("This case was changed in another window of yours. Both versions are kept on the server. Which one should stand?", [
    ["The other one", () => { put(step, standing); go(step, standing.base, false); }],
    ["This one", () => { go(step, standing.base, true); }],
  ]);
  if (wasSubmit) find("trouble").scrollIntoView();
}

function go(step, base, dirty) {
  work[step].base = base;
  work[step].dirty = dirty;
  outbox.stopped = false;
  find("trouble").hidden = true;
  tell("");
  pump();
}

function elsewhere(step) {
  outbox.stopped = true;
  kept.clear();
  tell("");
  const done = step === told.last;
  trouble("This was submitted in another window. What you had here is kept on the server beside it.", [[done ? "To the next case" : "Reload", () => { location.href = done ? "/read" : location.pathname; }]]);
}

// What the reader is told

function tell(text, bad = false) {
  if (find("saved").textContent !== text) find("saved").textContent = text;  // or it would be read out at every key
  find("saved").classList.toggle("bad", bad);
}

function trouble(text, choices) {
  const box = find("trouble");
  const row = document.createElement("div");
  row.className = "row";
  for (const [label, act] of choices) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    row.append(button);
  }
  const words = document.createElement("p");
  words.textContent = text;
  box.replaceChildren(words, row);
  box.hidden = false;
  row.firstChild?.focus();
}

function complain(problems) {
  let first = null;
  for (const [id, text] of Object.entries(problems)) {
    const box = id === "text" ? forms.report : document.querySelector(`[data-question="${CSS.escape(id)}"]`);
    const place = box?.querySelector(".problem");
    if (!place) continue;
    place.textContent = text;
    place.hidden = false;
    const field = box.querySelector("textarea, input");
    field.setAttribute("aria-invalid", "true");
    first = first || field;
  }
  first?.focus();
}

function forgive(box) {
  for (const place of box.querySelectorAll(".problem")) place.hidden = true;
  for (const field of box.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function enable(on) {
  for (const form of Object.values(forms)) for (const button of form?.querySelectorAll("button.main") || []) button.disabled = !on;
}

// Steps

function submit(step) {
  if (outbox.stopped) { find("trouble").scrollIntoView(); return; }
  const problems = {};
  if (step === "report" && !find("text").value.trim()) problems.text = "Write the report first.";
  if (step === "answers") {
    const { values } = said("answers");
    for (const box of forms.answers.querySelectorAll("fieldset.question")) {
      if (!values[box.dataset.question] && !box.querySelector("legend .quiet")) problems[box.dataset.question] = "Please answer this one.";
    }
  }
  forgive(forms[step]);
  if (Object.keys(problems).length) { complain(problems); return; }
  enable(false);
  tell("Saving …");
  outbox.submit = step;
  pump();
}

function submitted(step) {
  if (step === told.last) {
    outbox.stopped = true;
    kept.clear();
    location.href = "/read";
    return;
  }
  gone.add(step);
  enable(true);
  showStep();
  find("after")?.focus();
}

/** Questions come after the report, so that they change nothing in it. */
function showStep() {
  if (steps.length < 2) return;
  forms.report.hidden = gone.has("report");
  forms.answers.hidden = !gone.has("report");
  find("own").textContent = find("text").value;
}

// Signs of life: pauses, other tabs, and a beat that says how far the clock came if the tab dies

let life = 0, idle = false;
function alive() {
  const at = clock();
  life = at;
  if (idle) { idle = false; note("active", null, at); }
}
function look() {
  if (!idle && !document.hidden && clock() - life > told.idle * 1000) { idle = true; note("idle", null, life + told.idle * 1000); }
}

function begin() {
  // `/read` shows whatever is due; from here on a reload of this page comes back to this case.
  if (location.pathname === "/read") history.replaceState(null, "", `/read/${told.reading}`);
  const before = kept.read();
  for (const step of steps) {
    const state = told.state[step];
    if (state.text !== undefined || state.values) put(step, state);
    else if (step === "report") find("text").value = told.start;
  }
  // From before a reload: what was on its way goes first, as it was; then what had not left yet.
  outbox.flight = before.flight || before.older || null;
  if (before.waiting?.length) outbox.older = { page: before.page, events: before.waiting.slice(0, MOST) };
  for (const step of steps) {
    const older = before.words?.[step];
    const sending = before.flight?.events.find((one) => one.step === step);
    if (older && !work[step].closed) { put(step, older.said); work[step].dirty = true; work[step].base = older.base; }
    else if (sending && !work[step].closed) put(step, sending);
  }
  const viewer = mountViewer(find("viewer"), told.images);
  find("viewer").addEventListener("viewer:shown", (event) => {
    life = clock();
    note("shown", event.detail);
    pump();
    // The keys of the viewer work at once, for whoever has no mouse and has not gone elsewhere yet.
    const withKeys = !matchMedia("(pointer: coarse)").matches;
    if (withKeys && document.activeElement === document.body) find("viewer").querySelector("canvas")?.focus({ preventScroll: true });
  });
  find("viewer").addEventListener("viewer:failed", (event) => { note("failed", event.detail); pump(); });
  find("viewer").addEventListener("viewer:used", (event) => note("used", event.detail));
  listen(viewer);
  // The server sends them disabled: what is typed or clicked before this script is here would be lost.
  for (const form of Object.values(forms)) for (const field of form?.elements || []) field.disabled = false;
  showStep();
  const open = steps.find((step) => !gone.has(step));
  if (open && work[open].base && !work[open].dirty && !holdsWords(outbox.flight)) tell("Saved");
  if (document.hidden) note("hidden");
  pump();
}

function listen(viewer) {
  let typing = 0, first = 0;
  for (const step of steps) {
    const changed = () => {
      work[step].dirty = true;
      if (!outbox.stopped && !outbox.wait) tell("Not saved yet");
      forgive(forms[step]);
      if (!edited) { edited = true; note("first_edit"); }
      kept.write();
      first = first || Date.now();
      clearTimeout(typing);
      typing = setTimeout(() => { first = 0; pump(); }, Date.now() - first > 3000 ? 0 : SAVE_AFTER);
    };
    forms[step].addEventListener("input", changed);
    forms[step].addEventListener("submit", (event) => { event.preventDefault(); submit(step); });
    forms[step].addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); submit(step); }
      if (event.key === "Escape") { event.preventDefault(); viewer.focus(); }
    });
  }
  find("viewer").addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "e" || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = [...document.querySelectorAll(".panel textarea, .panel input")].find((one) => one.offsetParent);
    if (field) { event.preventDefault(); field.focus(); }
  });
  for (const sign of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "scroll"]) {
    addEventListener(sign, alive, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    note(document.hidden ? "hidden" : "visible");
    if (document.hidden) leave(); else { alive(); pump(); }
  });
  addEventListener("pagehide", () => { note("left"); leave(); });
  addEventListener("beforeunload", (event) => {
    if (!outbox.stopped && outbox.wait && steps.some((step) => work[step].dirty)) event.preventDefault();
  });
  addEventListener("online", pump);
  setInterval(look, 1000);
  setInterval(() => { note("beat"); pump(); }, BEAT);
}

/** The page may be gone in a moment: send once more, and keep a copy that goes with the same ids if this fails. */
function leave() {
  if (outbox.stopped) return;
  const batch = load();
  kept.write();
  if (batch) post(batch, true).then(() => { if (!document.hidden) pump(); }, () => {});
}

begin();
