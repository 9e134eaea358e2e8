// The case browser: a list that draws only the rows in sight, and cases that are fetched when they are looked at.
// Everything that comes from a model or a report is put on the page as text, never as markup.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const at = (id) => document.getElementById(id);
  const browser = at("browser");
  if (!browser) return;
  const page = JSON.parse(at("page-data").textContent);
  const list = at("list"), rows = at("rows"), detail = at("detail"), controls = at("controls");
  const ROW = 72, SPARE = 6, NOT_ASKED = -1, UNREADABLE = -2;
  const narrow = matchMedia("(max-width: 60rem)");
  const plain = { numeric: true };
  let index = null, shown = [], current = -1, words = null;
  const shards = new Map();

  function make(tag, className, ...inside) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...inside.filter((one) => one !== null && one !== undefined && one !== ""));
    return made;
  }

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.append(use);
    return svg;
  }

  // Files beside the page

  function load(file) {
    const script = document.createElement("script");
    script.src = `cases/${file}`;
    return new Promise((done, failed) => {
      script.onload = done;
      script.onerror = () => failed(new Error(`cases/${file} is not there: keep the folder beside the page`));
      document.head.append(script);
    }).finally(() => script.remove());
  }

  window.cxreasonIndex = (value) => { index = value; };
  window.cxreasonCases = (number, cases) => { shards.set(number, cases); };

  async function whole(place) {
    const number = Math.floor(place / index.size);
    if (!shards.has(number)) {
      await load(`${String(number).padStart(4, "0")}.js`);
      while (shards.size > 12) shards.delete(shards.keys().next().value);
    }
    return shards.get(number)[place % index.size];
  }

  // What a case is called

  const name = (column, place) => column.names[column.codes[place]];

  function outcome(worth) {
    if (worth === NOT_ASKED) return "none";
    if (worth === UNREADABLE) return "unreadable";
    return worth === 100 ? "right" : worth > 0 ? "partly" : "wrong";
  }
  const OUTCOMES = {
    right: ["check", "right"], partly: ["half", "partly right"], wrong: ["cross", "wrong"],
    unreadable: ["question", "not readable"], none: ["", "not asked"],
  };

  function badge(worth, kind) {
    const what = outcome(worth);
    if (what === "none") return null;
    const [mark, label] = OUTCOMES[what];
    const text = what === "partly" ? `${label}, ${(worth / 100).toFixed(2)}` : label;
    return make("span", `badge ${what} ${kind || ""}`, icon(mark), text);
  }

  const title = ([model, mode]) => `${page.names[model] || model} ${page.modes[mode] ?? mode}`.trim();

  // The filters

  const PLAIN = { find: "", task: "", source: "", view: "", sex: "", age: "", model: "0", outcome: "", order: "" };
  const chosen = { ...PLAIN };
  const AGES = [["under 18", 0, 18], ["18–39", 18, 40], ["40–59", 40, 60], ["60–79", 60, 80], ["80 and over", 80, 999]];

  function options(select, values, all) {
    select.replaceChildren(new Option(all, ""), ...values.map(([value, label]) => new Option(label, value)));
  }

  function fill() {
    for (const key of ["task", "source", "view", "sex"]) {
      const counts = new Map();
      for (const code of index[key].codes) counts.set(code, (counts.get(code) || 0) + 1);
      const names = index[key].names.map((text, code) => [String(code), `${text || "not known"} (${counts.get(code) || 0})`]);
      names.sort((one, other) => one[1].localeCompare(other[1], undefined, plain));
      options(controls.elements[key], names, { task: "All tasks", source: "All sources", view: "All views", sex: "Any sex" }[key]);
      controls.elements[key].closest("label").hidden = names.length < 2;
    }
    const known = index.age.some((age) => age !== null);
    controls.elements.age.closest("label").hidden = !known;
    options(controls.elements.age, AGES.map(([label], place) => [String(place), label]), "Any age");
    controls.elements.model.replaceChildren(...page.columns.map((column, place) => new Option(title(column), String(place))));
    controls.elements.model.closest("label").hidden = page.columns.length < 2;
    const differ = page.columns.length > 1 ? [["differ", "models differ"]] : [];
    options(controls.elements.outcome, [["right", "right"], ["partly", "partly right"], ["wrong", "wrong"], ["unreadable", "not readable"], ["notright", "not fully right"], ...differ], "Any outcome");
  }

  function fits(place) {
    for (const key of ["task", "source", "view", "sex"]) {
      if (chosen[key] !== "" && index[key].codes[place] !== Number(chosen[key])) return false;
    }
    if (chosen.age !== "") {
      const [, low, high] = AGES[chosen.age], age = index.age[place];
      if (age === null || age < low || age >= high) return false;
    }
    const wanted = chosen.outcome;
    if (wanted === "differ") {
      const said = new Set(index.worth.map((worth) => outcome(worth[place])).filter((one) => one !== "none"));
      if (said.size < 2) return false;
    } else if (wanted) {
      const is = outcome(index.worth[chosen.model][place]);
      if (wanted === "notright" ? is === "right" || is === "none" : is !== wanted) return false;
    }
    return !words || words.every((word) => index.low[index.question.codes[place]].includes(word) || index.ids[place].startsWith(word));
  }

  function filter() {
    const find = chosen.find.trim().toLowerCase();
    words = find ? find.split(/\s+/) : null;
    shown = [];
    for (let place = 0; place < index.ids.length; place += 1) if (fits(place)) shown.push(place);
    if (chosen.order === "worst") {
      const rank = (place) => (index.worth[chosen.model][place] === NOT_ASKED ? 1000 : index.worth[chosen.model][place]);
      shown.sort((one, other) => rank(one) - rank(other) || one - other);
    }
    const all = index.ids.length.toLocaleString("en");
    at("shown").textContent = shown.length === index.ids.length ? `${all} cases` : `${shown.length.toLocaleString("en")} of ${all} cases`;
    at("none-shown").hidden = shown.length > 0;
    const used = ["task", "source", "view", "sex", "age", "outcome", "order"].filter((key) => chosen[key] !== "").length;
    at("used").textContent = used ? `${used} set` : "";
    rows.style.height = `${shown.length * ROW}px`;
    list.scrollTop = 0;
    draw();
  }

  // The list

  function line(place, position) {
    const marks = make("span", "marks");
    page.columns.forEach((column, number) => {
      const what = outcome(index.worth[number][place]);
      if (what === "none") return;
      const mark = make("span", `mark ${what}`, icon(OUTCOMES[what][0]));
      mark.title = `${title(column)}: ${OUTCOMES[what][1]}`;
      marks.append(mark);
    });
    const task = make("span", "task", `${name(index.task, place)} · ${name(index.source, place)}`);
    const made = make("div", "line", make("span", "line-head", task, marks), make("span", "line-text", name(index.question, place), " ", make("i", "", name(index.gold, place))));
    made.id = `line-${place}`;
    made.style.top = `${position * ROW}px`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-setsize", String(shown.length));
    made.setAttribute("aria-posinset", String(position + 1));
    made.setAttribute("aria-selected", String(place === current));
    made.dataset.place = String(place);
    return made;
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
    const made = [];
    for (let position = first; position < last; position += 1) made.push(line(shown[position], position));
    rows.replaceChildren(...made);
    if (current >= 0 && at(`line-${current}`)) list.setAttribute("aria-activedescendant", `line-${current}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function reveal(place) {
    const position = shown.indexOf(place);
    if (position < 0) return;
    const top = position * ROW, bottom = top + ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  // A case

  function pieces(parts) {
    return make("p", "report", ...parts.map(([text, rests]) => (rests ? make("mark", "", text) : text)));
  }

  function rectangle([label, x1, y1, x2, y2], number, kind) {
    const made = make("span", `place ${kind}`, make("b", "", String(number)));
    made.title = label;
    Object.assign(made.style, { left: `${100 * x1}%`, top: `${100 * y1}%`, width: `${100 * (x2 - x1)}%`, height: `${100 * (y2 - y1)}%` });
    return made;
  }

  function picture(one, shownImage, place) {
    const frame = make("div", "frame");
    const names = make("span", "places");
    if (shownImage.src) {
      const image = make("img");
      image.src = shownImage.src;
      image.alt = `${shownImage.caption || "Chest X-ray"}, image ${place + 1} of ${one.images.length}`;
      image.decoding = "async";
      const open = make("button", "enlarge", image);
      open.type = "button";
      open.title = "Show large";
      open.addEventListener("click", () => enlarge(frame));
      frame.append(open);
      image.addEventListener("error", () => frame.replaceChildren(make("p", "gone", "The image is not where it was when this page was written.")));
    } else {
      frame.append(make("p", "gone", "The image was not there when this page was written."));
    }
    const mine = one.boxes.map((box, number) => [box, number + 1]).filter(([box]) => box[5] === place);
    for (const [box, number] of mine) {
      frame.append(rectangle(box, number, "gold"));
      names.append(make("span", "", make("i", "", String(number)), ` ${box[0]}`));
    }
    one.replies.forEach((reply) => reply.boxes.filter((box) => box[5] === place).forEach((box) => {
      frame.append(rectangle(box, letter(reply.column), `said model-${color(reply.column)}`));
    }));
    const caption = make("figcaption", "", shownImage.caption ? make("b", "", shownImage.caption) : null, names);
    return make("figure", "", frame, shownImage.caption || mine.length ? caption : null);
  }

  const letter = (column) => String.fromCharCode(97 + column);
  const color = (column) => page.places[page.columns[column][0]];

  function enlarge(frame) {
    const dialog = at("large");
    const copy = frame.cloneNode(true);
    copy.querySelector("button")?.replaceWith(copy.querySelector("img"));
    at("large-image").replaceChildren(copy);
    dialog.showModal();
  }

  function choices(one) {
    const made = make("ol", "options");
    one.options.forEach((option, place) => {
      const mark = String.fromCharCode(65 + place), gold = mark === one.answer;
      const item = make("li", gold ? "gold" : "", make("b", "", mark), " ", make("span", "", option), gold ? make("span", "gold-label", "gold answer") : null);
      const saying = one.replies.filter((reply) => reply.answer === `${mark} · ${option}`);
      if (saying.length) item.append(make("span", "sayers", ...saying.map((reply) => dot(reply.column))));
      made.append(item);
    });
    return made;
  }

  function dot(column) {
    const made = make("span", `who model-${color(column)}`, letter(column));
    made.title = title(page.columns[column]);
    return made;
  }

  function said(reply) {
    const [model, mode] = page.columns[reply.column];
    const head = make("h4", "model", dot(reply.column), make("span", "", page.names[model] || model), make("span", "mode", page.modes[mode] ?? mode));
    const box = make("section", "reply", head);
    box.setAttribute("aria-label", title(page.columns[reply.column]));
    box.append(make("p", "answer", make("b", "", reply.answer || "no answer"), badge(reply.worth)));
    if (reply.problem) box.append(make("p", "note", `Not readable: ${reply.problem}.`));
    if (!reply.finished) box.append(make("p", "note", "Not ended by the model: it was cut."));
    if (reply.trace.length) {
      const trace = make("p", "trace");
      for (const [text, mark] of reply.trace) {
        const sentence = make("span", `sentence ${mark}`, text, page.icons[mark] ? make("span", "glued", "\u2060", icon(page.icons[mark])) : null);
        sentence.append(make("span", "tip", ` (${page.marks[mark]}) `));
        trace.append(sentence, " ");
      }
      box.append(trace);
    } else if (mode !== "direct") box.append(make("p", "trace quiet", "No reasoning was written."));
    const table = make("table", "scores");
    for (const [metric, value, reason] of reply.scores) {
      const row = make("tr", "", make("th", "", page.metrics[metric] || metric), make("td", "", value === null ? "–" : value.toFixed(2)), make("td", "reason", reason));
      table.append(row);
    }
    if (reply.probes.length) {
      const tried = make("table", "scores");
      for (const [what, answer, same, trace] of reply.probes) {
        const then = make("td", same ? "" : "changed", answer, same ? "" : " (changed)");
        tried.append(make("tr", "", make("th", "", what, trace ? make("p", "edited", trace) : null), then));
      }
      box.append(more("Experiments on this reply", tried));
    }
    box.append(more("Scores and their reasons", table), more("The text as the model wrote it", make("pre", "", reply.raw || "(nothing)")));
    return box;
  }

  function more(summary, inside) {
    return make("details", "raw", make("summary", "", summary), inside);
  }

  function render(one, place) {
    const position = shown.indexOf(place);
    const back = make("button", "back", "‹ All cases");
    back.type = "button";
    back.addEventListener("click", close);
    const step = (label, by) => {
      const button = make("button", "step", label);
      button.type = "button";
      button.disabled = position < 0 || !(position + by in shown);
      button.setAttribute("aria-label", by < 0 ? "Previous case" : "Next case");
      button.addEventListener("click", () => open(shown[position + by], true));
      return button;
    };
    const bar = make("div", "bar", back, make("span", "quiet count", position < 0 ? "" : `${position + 1} of ${shown.length}`), step("‹", -1), step("›", 1));
    const heading = make("h3", "", one.question);
    heading.id = "case-title";
    const pictures = make("div", `pictures pictures-${Math.min(one.images.length, 2)}`, ...one.images.map((image, number) => picture(one, image, number)));
    const known = make("div", "known");
    if (one.options.length) known.append(make("h4", "", "Options"), choices(one));
    else known.append(make("h4", "", "Gold answer"), make("p", "gold open", one.gold));
    if (one.prior.length) known.append(make("h4", "", "Earlier report"), pieces(one.prior));
    if (one.report.length) known.append(make("h4", "", "Report, which no model sees"), pieces(one.report));
    if (one.mined) known.append(more("Reasoning mined from the report", make("p", "", one.mined)));
    const head = make("header", "", make("p", "kicker", `${name(index.task, place)} · ${one.about}`), heading);
    const ids = make("p", "ids quiet", `sample ${one.id}${one.official ? ` · question ${one.official}` : ""} · study ${one.study}`);
    detail.replaceChildren(bar, head, make("div", one.images.length ? "shown" : "shown without", one.images.length ? pictures : null, known), make("div", "replies", ...one.replies.map(said)), ids);
    detail.classList.toggle("bare", !at("all-boxes").checked);
    detail.scrollTop = 0;
  }

  async function open(place, focus) {
    current = place;
    reveal(place);
    draw();
    browser.classList.add("opened");
    const hash = `#case=${encodeURIComponent(index.ids[place])}`;
    if (location.hash !== hash) history[narrow.matches && focus ? "pushState" : "replaceState"](null, "", hash);
    try {
      const one = await whole(place);
      if (current !== place) return;
      render(one, place);
      if (narrow.matches) browser.scrollIntoView();
      if (focus && narrow.matches) detail.focus({ preventScroll: true });
    } catch (error) {
      detail.replaceChildren(make("p", "note", error.message));
    }
  }

  function close() {
    browser.classList.remove("opened");
    history.replaceState(null, "", "#cases");
    list.focus({ preventScroll: true });
    draw();
  }

  function read() {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("case");
    if (wanted) {
      const place = index.ids.indexOf(wanted);
      if (place >= 0) open(place, false);
    } else if (location.hash !== "" && narrow.matches) browser.classList.remove("opened");
  }

  function listen() {
    list.addEventListener("scroll", draw, { passive: true });
    addEventListener("resize", draw);
    rows.addEventListener("click", (event) => {
      const one = event.target.closest(".line");
      if (one) open(Number(one.dataset.place), true);
    });
    list.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 }[event.key];
      if (by === undefined || !shown.length) return;
      event.preventDefault();
      const position = Math.max(0, Math.min(shown.length - 1, Math.max(shown.indexOf(current), by > 0 ? -1 : 0) + by));
      open(shown[position], false);
    });
    controls.addEventListener("input", (event) => {
      if (event.target.name in chosen) {
        chosen[event.target.name] = event.target.value;
        filter();
      }
    });
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.addEventListener("reset", () => {
      Object.assign(chosen, PLAIN);
      setTimeout(filter);
    });
    at("all-boxes").addEventListener("change", () => detail.classList.toggle("bare", !at("all-boxes").checked));
    at("large").addEventListener("click", () => at("large").close());
    addEventListener("hashchange", read);
  }

  load("index.js").then(() => {
    index.low = index.question.names.map((text) => text.toLowerCase());
    fill();
    listen();
    filter();
    read();
    if (current < 0 && shown.length && !narrow.matches) open(shown[0], false).then(() => history.replaceState(null, "", location.pathname + location.search + (location.hash.startsWith("#case=") ? "" : location.hash)));
    browser.dataset.ready = "yes";
  }).catch((error) => { at("shown").textContent = error.message; });
})();
