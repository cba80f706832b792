// Every contact with the service. Addresses are relative to the page, so that it also works under a prefix.

/** Why the service gave no reply: an RFC 9457 problem, or the words for what went wrong before one came. */
export class Problem extends Error {
  constructor(status, title, detail, errors = []) {
    super(title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
  }
}

/** Words for a person, where the problem has only the name of its status. */
const PLAIN = new Map([
  [404, "The service does not know this"],
  [413, "That is more than the service takes at once"],
  [422, "The service could not take this question"],
  [429, "Too many questions at once"],
  [500, "Something went wrong in the service"],
  [503, "The service cannot answer just now"],
]);
const STATUS_NAMES = new Set([
  "Not Found", "Request Entity Too Large", "Content Too Large", "Unprocessable Entity", "Unprocessable Content",
  "Too Many Requests", "Internal Server Error", "Service Unavailable",
]);

async function problemOf(response) {
  let body = {};
  if (/[/+]json\b/.test(response.headers.get("content-type") ?? "")) {
    try {
      body = (await response.json()) ?? {};
    } catch {
      body = {};
    }
  }
  const title = typeof body.title === "string" && !STATUS_NAMES.has(body.title) ? body.title : null;
  const detail = typeof body.detail === "string" ? body.detail : null;
  const errors = Array.isArray(body.errors) ? body.errors.map(sentenceOf) : [];
  const known = PLAIN.get(response.status) ?? `The service answered with status ${response.status}`;
  const waiting = response.status === 503 ? "It may still be opening the library. Try again in a moment." : null;
  const untold = errors.filter((text) => !detail?.includes(text));
  return new Problem(response.status, title ?? known, detail ?? waiting, untold);
}

function sentenceOf(error) {
  if (typeof error === "string") return error;
  const where = error?.pointer ?? (Array.isArray(error?.loc) ? error.loc.join(".") : error?.loc ?? error?.field ?? null);
  const what = error?.detail ?? error?.message ?? error?.msg ?? JSON.stringify(error);
  return where ? `${where}: ${what}` : String(what);
}

async function send(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "No connection to the service", "Check that it is running and reachable, then try again.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function json(address, options = {}) {
  const headers = { accept: "application/json", ...options.headers };
  const response = await send(address, { ...options, headers });
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(response.status, "The service sent something that is not a reply", "The reply was cut off or is not JSON.");
  }
}

function post(address, body, signal) {
  const headers = { "content-type": "application/json" };
  return json(address, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** Return the reply to a question; `conversation` is the id of the last reply, or null. */
export function ask(question, conversation, signal) {
  return post("v1/ask", { question, conversation_id: conversation }, signal);
}

/** Return one page of the library; `after` is the last page's `next_cursor`, or null. */
export function documents(limit, after = null) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (after !== null) query.set("after", after);
  return json(`v1/documents?${query}`);
}

/** Return the canonical text of a revision (null: the live one), as {bytes, text}. */
export async function canonicalText(documentId, revision, signal) {
  const query = revision ? `?${new URLSearchParams({ revision })}` : "";
  const headers = { accept: "text/plain" };
  const response = await send(`v1/documents/${encodeURIComponent(documentId)}/text${query}`, { headers, signal });
  let bytes;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The text was cut off", "The connection ended before the whole text had come.");
  }
  return { bytes, text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) };
}

/** Return what the service says of a citation: verified, drifted, purged or unknown. */
export async function verify(citation) {
  return (await post("v1/verify", citation)).status;
}
