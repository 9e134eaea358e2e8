// The API's page, written from /openapi.json: nothing is loaded from anywhere else.

import { make } from "/static/answer.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** The schema behind a reference. */
function follow(document_, schema) {
  let one = schema || {};
  for (let hops = 0; one.$ref && hops < 9; hops += 1) {
    one = one.$ref.slice(2).split("/").reduce((place, part) => place?.[part], document_) || {};
  }
  return one;
}

function typeOf(document_, schema) {
  if (!schema) return "";
  if (schema.$ref) return follow(document_, schema).enum ? typeOf(document_, follow(document_, schema)) : schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const several = schema.anyOf || schema.oneOf;
  if (several) return several.map((one) => typeOf(document_, one)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(document_, schema.items) || "anything"}`;
  return [schema.type, schema.format].filter(Boolean).join(", ") || "anything";
}

function table(document_, properties, required) {
  const head = make("tr", "", ...["key", "type", "default", "meaning"].map((name) => {
    const cell = make("th", "", name);
    cell.scope = "col";
    return cell;
  }));
  const rows = Object.entries(properties).map(([name, schema]) => {
    const key = make("th", "", make("code", "", name));
    key.scope = "row";
    const standard = required.includes(name) ? "required" : schema.default === undefined ? "" : JSON.stringify(schema.default);
    return make("tr", "", key, make("td", "", typeOf(document_, schema)), make("td", "", standard), make("td", "", schema.description || ""));
  });
  return make("div", "wide", make("table", "keys", make("thead", "", head), make("tbody", "", ...rows)));
}

function schemaOf(document_, title, schema) {
  const known = follow(document_, schema);
  if (!known.properties) return [];
  return [make("h3", "", title), table(document_, known.properties, known.required || [])];
}

function operation(document_, method, path, told) {
  const verb = make("span", "verb", method.toUpperCase());
  const summary = make("summary", "", verb, make("code", "", path), make("span", "quiet", told.summary || ""));
  const parts = [make("p", "", ...worded(told.description || ""))];
  const given = Object.fromEntries((told.parameters || []).map((one) => [one.name, { ...one.schema, description: one.description || `in the ${one.in}` }]));
  if (Object.keys(given).length) parts.push(make("h3", "", "Parameters"), table(document_, given, (told.parameters || []).filter((one) => one.required).map((one) => one.name)));
  for (const [kind, content] of Object.entries(told.requestBody?.content || {})) {
    const of = schemaOf(document_, `Body, ${kind}`, content.schema);
    parts.push(...(of.length ? of : [make("h3", "", `Body, ${kind}`), make("p", "", "The bytes of the file.")]));
  }
  const answers = Object.entries(told.responses || {}).filter(([status]) => status !== "422");
  for (const [status, answer] of answers) {
    for (const [kind, content] of Object.entries(answer.content || {})) parts.push(...schemaOf(document_, `${status}, ${kind}`, content.schema));
  }
  parts.push(make("h3", "", "Example"), make("pre", "", example(method, path)));
  return make("details", "operation", summary, ...parts);
}

function example(method, path) {
  const address = `${location.origin}${path}`;
  if (path === "/api/images") return `curl --data-binary @chest.dcm ${address}`;
  if (path === "/api/ask") return `curl -N ${address} -H 'Content-Type: application/json' \\\n  -d '{"images": ["ID"], "type": "finding", "finding": "edema"}'`;
  if (path === "/v1/chat/completions") return `from openai import OpenAI\nclient = OpenAI(base_url="${location.origin}/v1", api_key="none")\nclient.chat.completions.create(model=client.models.list().data[0].id, messages=[...], stream=True)`;
  return method === "get" ? `curl ${address}` : `curl -X ${method.toUpperCase()} ${address}`;
}

/** A description, in which names stand between backticks and lines were broken for a terminal. */
function worded(text) {
  const lines = text.replace(/([^\n])\n(?=[^\n])/g, "$1 ");
  return lines.split("`").map((part, number) => (number % 2 ? make("code", "", part) : part));
}

async function begin() {
  const document_ = await (await fetch("/openapi.json")).json();
  document.getElementById("version").textContent = document_.info.version;
  const groups = new Map();
  for (const [path, ways] of Object.entries(document_.paths)) {
    const group = path.startsWith("/v1/") ? "OpenAI-compatible" : "For the page";
    for (const method of METHODS) {
      if (ways[method]) groups.set(group, [...(groups.get(group) || []), operation(document_, method, path, ways[method])]);
    }
  }
  const parts = [make("p", "", ...worded(document_.info.description))];
  for (const [name, list] of groups) parts.push(make("h2", "", name), ...list);
  document.getElementById("api").replaceChildren(...parts);
}

begin().catch(() => { document.getElementById("api").textContent = "The description of the API could not be loaded."; });
