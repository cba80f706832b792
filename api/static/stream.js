// Server-sent events out of the body of a response. EventSource can only GET, so they are read here.

const LONGEST = 4_000_000;

/**
 * Yield {event, id, data} for each event of a body of bytes, as the HTML standard reads them: comments are left out,
 * and what is cut off at the end is no event. An Error if `patience` milliseconds pass without a byte, or if one event
 * is longer than anything that the service sends.
 */
export async function* events(body, patience) {
  let fields = { event: "", data: [] };
  let last = "";
  for await (const line of lines(body, patience)) {
    if (line === "") {
      if (fields.data.length > 0) yield { event: fields.event || "message", id: last, data: fields.data.join("\n") };
      fields = { event: "", data: [] };
      continue;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "data") fields.data.push(value);
    else if (name === "event") fields.event = value;
    else if (name === "id" && !value.includes("\0")) last = value;
  }
}

async function* lines(body, patience) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of chunks(body, patience)) {
    // A carriage return at the end may be half of a line's end.
    const whole = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = whole.pop();
    if (rest.length > LONGEST) throw new Error("an event that does not end");
    yield* whole;
  }
}

async function* chunks(body, patience) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await soon(reader.read(), patience);
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever stops listening also stops the work; that it is over already is no matter.
    reader.cancel().catch(() => {});
  }
}

/** Return what the promise comes to; an Error if it takes longer than that. */
async function soon(promise, milliseconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing came")), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
