// One answer on the page. Everything that a model or a user wrote goes in as text, never as markup.

export function make(tag, name, ...content) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...content);
  return element;
}

/** A sentence whose words that state something are underlined, and below it what they state. */
export function sentence({ text, observations }) {
  const item = make("li", "");
  // Offsets count characters, and JavaScript's strings count halves of some.
  const letters = Array.from(text);
  let at = 0;
  const spans = [...new Map(observations.map((seen) => [`${seen.start}-${seen.end}`, seen])).values()].sort((a, b) => a.start - b.start);
  for (const seen of spans) {
    if (seen.start < at) continue;
    item.append(letters.slice(at, seen.start).join(""), make("mark", seen.status, letters.slice(seen.start, seen.end).join("")));
    at = seen.end;
  }
  item.append(letters.slice(at).join(""));
  if (observations.length) item.append(chips(observations));
  return item;
}

function chips(observations) {
  const list = make("ul", "seen");
  list.setAttribute("aria-label", "Read from this sentence");
  const most = 5;
  for (const seen of observations.slice(0, most)) {
    const place = seen.location || seen.side;
    const more = [place, seen.severity, seen.change].filter(Boolean).join(", ");
    list.append(make("li", "", make("span", `chip ${seen.status}`, make("b", "", seen.finding), ` ${seen.status}${more ? `, ${more}` : ""}`)));
  }
  if (observations.length > most) list.append(make("li", "quiet", `and ${observations.length - most} more`));
  return list;
}

/** One reply, which grows. */
export class Reply {
  constructor(number, several, direct) {
    this.number = number;
    this.direct = direct;
    this.verdict = make("p", "verdict");
    this.notes = make("div", "");
    this.trace = make("ol", "trace");
    this.trace.setAttribute("aria-label", "Reasoning, sentence by sentence");
    this.tail = make("li", "writing");
    this.trace.append(this.tail);
    this.raw = make("pre", "");
    const written = make("details", "more", make("summary", "", "As the model wrote it"), this.raw);
    this.body = make("div", "", this.verdict, this.notes, this.trace, written);
    this.root = this.body;
    if (several) {
      this.title = make("summary", "", `Reply ${number + 1}`);
      this.root = make("details", "reply-fold", this.title, this.body);
      this.root.open = number === 0;
    }
    this.rest = "";
  }

  token(text) {
    this.raw.append(text);
    this.rest += text;
    // Marks of the dialect are form, not words; half of one may stand at the end.
    this.tail.textContent = this.rest.replace(/<\/?(think|answer)?>?|\\boxed\{?\}?/g, " ").trim();
  }

  sentence(told) {
    this.tail.before(sentence(told));
    this.rest = told.rest;
    this.token("");
  }

  end(told) {
    const label = told.label || told.answer;
    this.verdict.textContent = label || "No readable answer";
    this.verdict.classList.toggle("long", label.length > 90);
    const notes = [];
    if (told.problem) notes.push(`The reply could not be understood: ${told.problem}.`);
    if (told.note) notes.push(`Mended while reading: ${told.note}.`);
    if (!told.finished) notes.push("The reply was cut at the limit of tokens.");
    this.notes.replaceChildren(...notes.map((note) => make("p", "note", note)));
    if (told.said.length) {
      this.verdict.textContent = "";
      this.verdict.classList.add("long");
      const said = make("ol", "trace", ...told.said.map(sentence));
      said.setAttribute("aria-label", "Answer, sentence by sentence");
      this.verdict.after(said);
    }
    this.trace.replaceChildren(...told.reasoning.map(sentence));
    this.trace.hidden = !told.reasoning.length;
    if (told.said.length && told.reasoning.length) this.trace.before(make("h3", "", "Reasoning"));
    this.raw.textContent = told.text;
    // Of several replies the line above says it.
    this.verdict.hidden = Boolean(this.title) && label.length < 120;
    if (this.title) this.title.replaceChildren(`Reply ${this.number + 1}: `, make("b", "", label.slice(0, 120) || "no readable answer"));
  }
}

/** How far several replies agree. */
export function agreement(told) {
  const parts = [];
  const count = told.num_samples;
  if (told.answers.length) {
    const [first] = told.answers;
    const same = told.answers.length === 1 && first.readable;
    parts.push(make("p", "verdict", same ? first.label : first.readable ? `${first.label} (${first.count} of ${count})` : "No readable answer"));
    parts.push(make("p", "quiet", same ? `All ${count} replies agree.` : `${told.answers.length} different answers in ${count} replies${told.consistency === null ? "." : `; self-consistency ${told.consistency.toFixed(2)} (1 = all agree, 0 = spread evenly).`}`));
    const list = make("ol", "bars");
    list.setAttribute("aria-label", "Answers and how many replies gave them");
    for (const one of told.answers) {
      const bar = make("i", "");
      bar.style.width = `${(100 * one.count) / count}%`;
      list.append(make("li", one.readable ? "" : "unreadable", make("span", "", one.label), make("span", "bar", bar), make("span", "", `${one.count} of ${count}`)));
    }
    parts.push(list);
  }
  if (told.overlap !== null) parts.push(make("p", "quiet", `Mean overlap of the boxes, reply against reply: ${told.overlap.toFixed(2)}.`));
  if (told.findings.length) parts.push(tally(told.findings, count));
  return parts;
}

function tally(findings, count) {
  const columns = ["present", "absent", "uncertain"];
  const head = make("tr", "", make("th", "", "Replies that call it"), ...columns.map((name) => make("th", "", name)));
  head.querySelectorAll("th").forEach((cell) => { cell.scope = "col"; });
  const rows = findings.slice(0, 12).map((one) => {
    const name = make("th", "", one.finding);
    name.scope = "row";
    return make("tr", "", name, ...columns.map((column) => make("td", one[column] ? "" : "none", one[column] ? String(one[column]) : "–")));
  });
  const table = make("table", "tally", make("thead", "", head), make("tbody", "", ...rows));
  const what = `Findings in the words of ${count} replies`;
  table.setAttribute("aria-label", what);
  return make("details", "", make("summary", "", what), table);
}
