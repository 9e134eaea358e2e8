// The server's events as they come, and its errors as errors with a status.

export class Refusal extends Error {
  constructor(message, status, retrySeconds) {
    super(message);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }
}

/** The JSON that an address answers with. */
export async function call(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server cannot be reached. Is it still running?", 0, 0);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  let message = `The server said ${answer.status}.`;
  try {
    message = (await answer.json()).error || message;
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  return new Refusal(message, answer.status, Number(answer.headers.get("retry-after")) || 0);
}

/** Post a question and call `on[name](data)` for each event. */
export async function events(address, body, on, signal) {
  const headers = { "Content-Type": "application/json" };
  const answer = await call(address, { method: "POST", headers, body: JSON.stringify(body), signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [name, data] = ["event: ", "data: "].map((head) => block.split("\n").find((line) => line.startsWith(head))?.slice(head.length));
      if (name && data && on[name]) on[name](JSON.parse(data));
    }
  }
}
