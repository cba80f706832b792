// Every contact with the service. Addresses are relative to the page, so that it also works under a prefix.

/** Why the service gave no reply: an RFC 9457 problem, or the words for what went wrong before one came. */
export class Problem extends Error {
  constructor(status, title, detail = null, errors = []) {
    super(title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    /** The stable name of the problem, null where there is none. */
    this.code = null;
    /** After how many seconds it is worth another try, null if that is not known. */
    this.retryAfter = null;
  }

  get words() {
    return [this.title, this.detail, ...this.errors].filter(Boolean).join(". ").replace(/\.\. /g, ". ");
  }
}

/** Raise any error again that is not a Problem. */
export function expectProblem(error) {
  if (!(error instanceof Problem)) throw error;
}

/** Return the problem that a response is not what was asked for. */
export function noReply(status, detail) {
  return new Problem(status, "The service sent something that is not a reply", detail);
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

export async function problemOf(response) {
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  const problem = problemIn((await response.json().catch(() => null)) ?? {}, response.status);
  problem.retryAfter = seconds >= 0 ? seconds : null;
  return problem;
}

/** Return the problem that an RFC 9457 body tells of. */
export function problemIn(body, status) {
  const title = typeof body.title === "string" && !STATUS_NAMES.has(body.title) ? body.title : null;
  const detail = typeof body.detail === "string" ? body.detail : null;
  const errors = Array.isArray(body.errors) ? body.errors.map(errorIn) : [];
  const known = PLAIN.get(status) ?? `The service answered with status ${status}`;
  const waiting = status === 503 ? "It may still be opening the library. Try again in a moment." : null;
  const untold = errors.filter((text) => !detail?.includes(text));
  const problem = new Problem(status, title ?? known, detail ?? waiting, untold);
  problem.code = /^urn:citespan:problem:([\w-]+)$/.exec(body.type)?.[1] ?? null;
  return problem;
}

function errorIn(error) {
  if (typeof error === "string") return error;
  const where = error?.pointer ?? error?.field;
  const what = error?.detail ?? error?.message ?? JSON.stringify(error);
  return where ? `${where}: ${what}` : String(what);
}

const SLOT = "citespan-key";

/** The key as it was typed: in this page alone, unless the reader wants it kept until the tab is closed. */
let key = stored();
let declined = false;
let ask = null;

function stored() {
  try {
    return sessionStorage.getItem(SLOT);
  } catch {
    return null;
  }
}

/** Show this key from now on; `keep` it for further pages of this tab. Null forgets it. */
export function showKey(value, keep = false) {
  key = value;
  try {
    if (value !== null && keep) sessionStorage.setItem(SLOT, value);
    else sessionStorage.removeItem(SLOT);
  } catch {
    // Without storage it is kept in this page, which is less and never more than was asked for.
  }
}

export function authorized() {
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

/** Let `how` ask the reader for a key, given whether there is one that was refused; it says whether it got one. */
export function askForKey(how) {
  ask = how;
}

/** Return what `call` returns. While the service wants a key, the reader is asked; who declines, for acts only. */
export async function withKey(call, method = "GET") {
  for (;;) {
    const shown = key;
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      if (key !== shown) continue;
      declined = (declined && method === "GET") || !(await ask(key !== null));
      if (declined) throw new Problem(401, "The library’s key is needed", "Without it this is not done.");
    }
  }
}

/** Return the response to a request; a Problem if there is none, or one that says no. */
export function send(address, options = {}) {
  const lost = new Problem(0, "No connection to the service", "Check that it is running and reachable, then try again.");
  return withKey(async () => {
    const headers = { ...options.headers, ...authorized() };
    const response = await whole(fetch(address, { credentials: "same-origin", ...options, headers }), lost);
    if (!response.ok) throw await problemOf(response);
    return response;
  }, options.method);
}

/** Return what the promise comes to. If it fails for any reason but an abort, the problem is raised. */
async function whole(promise, problem) {
  try {
    return await promise;
  } catch (error) {
    throw error.name === "AbortError" ? error : problem;
  }
}

export async function json(address, options = {}) {
  const headers = { accept: "application/json", ...options.headers };
  return bodyOf(await send(address, { ...options, headers }));
}

export function bodyOf(response) {
  return whole(response.json(), noReply(response.status, "The reply was cut off or is not JSON."));
}

export function posting(body, headers, signal) {
  return { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body), signal };
}

export function addressOfDocument(id, rest = "") {
  return `v1/documents/${encodeURIComponent(id)}${rest}`;
}

/** Return the canonical text of a revision (null: the live one), as {bytes, text}. */
export async function canonicalText(documentId, revision, signal) {
  const query = revision ? `?${new URLSearchParams({ revision })}` : "";
  const response = await send(addressOfDocument(documentId, `/text${query}`), { headers: { accept: "text/plain" }, signal });
  const cut = new Problem(0, "The text was cut off", "The connection ended before the whole text had come.");
  const bytes = new Uint8Array(await whole(response.arrayBuffer(), cut));
  return { bytes, text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) };
}

/** Return what the service says of a citation: verified, drifted, purged or unknown. */
export async function verify(citation) {
  return (await json("v1/verify", posting(citation))).status;
}

/** Let the service forget a conversation. That it knows of none is as good. */
export function forget(conversation) {
  return send(`v1/conversations/${encodeURIComponent(conversation)}`, { method: "DELETE" }).catch(expectProblem);
}

/** Wait for that many seconds; an AbortError if it is not to be waited for any more. */
export function slept(seconds, signal = null) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
