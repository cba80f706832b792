// The calls that look through the library and change it.

import { addressOfDocument, authorized, bodyOf, json, Problem, problemOf } from "./service.js";

/** Return one page of the documents that hold `words`, in the order `sort`; `after` is the last page's cursor. */
export function catalogue({ words, sort, after = null, limit }, signal) {
  const query = new URLSearchParams({ limit, sort, ...(words && { q: words }), ...(after && { after }) });
  return json(`v1/documents?${query}`, { signal });
}

// These lists begin with the newest.

export function revisions(documentId) {
  return json(addressOfDocument(documentId, "/revisions?limit=50"));
}

export function generations(limit) {
  return json(`v1/generations?limit=${limit}`);
}

export function difference(before, after) {
  return json(`v1/generations/${before}/diff/${after}`);
}

export function jobs(limit) {
  return json(`v1/jobs?limit=${limit}`);
}

export function isUnderWay({ status }) {
  return status === "queued" || status === "running";
}

export function job(id) {
  return json(`v1/jobs/${encodeURIComponent(id)}`);
}

/** Make a generation with the documents of an earlier one, and return it. */
export function goBack(number) {
  return json(`v1/generations/${number}/rollback`, { method: "POST" });
}

/** Delete a document; with `purge` from all generations. */
export function remove(documentId, purge) {
  return json(addressOfDocument(documentId, purge ? "?purge=true" : ""), { method: "DELETE" });
}

/**
 * Send files as one upload, and return its job. `sent` is called with the bytes that are on their way.
 * The same key again is the same upload: after a lost connection nothing is taken in twice.
 */
export async function upload(files, idempotencyKey, sent, signal) {
  signal.throwIfAborted();
  const form = new FormData();
  for (const { name, file } of files) form.append("file", file, name);
  // fetch does not tell how far a body is.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    const stop = () => request.abort();
    const headers = { accept: "application/json", "idempotency-key": idempotencyKey, ...authorized() };
    request.open("POST", "v1/documents");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => sent(event.loaded);
    request.onload = () => resolve(answerOf(request));
    request.onerror = () => reject(new Problem(0, "No connection to the service"));
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    request.send(form);
  });
}

/** Return the job that the service answers with, or raise the problem. */
async function answerOf(request) {
  const again = request.getResponseHeader("retry-after");
  const response = new Response(request.responseText, { status: request.status, headers: again ? { "retry-after": again } : {} });
  if (request.status !== 202) throw await problemOf(response);
  return bodyOf(response);
}

export async function alive() {
  try {
    return (await fetch("healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
