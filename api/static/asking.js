// A question put to the service: the reply as it arrives, through one loss of the connection.

import { bodyOf, noReply, Problem, posting, problemIn, send, slept } from "./service.js";
import { events } from "./stream.js";

// The service sends something every 15 seconds.
const PATIENCE_MS = 40_000;
const PAUSE_S = 1;
const KINDS = new Set(["retrieval", "citation", "answer"]);

/**
 * Yield [kind, data] for what arrives: one "retrieval" (what is read), a "citation" each, and at last "answer", the
 * whole reply. A service (or what stands before it) that sends no events gives the answer at once.
 */
export async function* asking(request, signal) {
  let last = null;
  for (let losses = 0; losses < 2; losses += 1) {
    try {
      const response = await taken(request, last, signal);
      if (!/^text\/event-stream\b/.test(response.headers.get("content-type") ?? "")) {
        yield ["answer", await bodyOf(response)];
        return;
      }
      for await (const { event, id, data } of events(response.body, PATIENCE_MS)) {
        last = id || last;
        if (event === "error") throw refused(data);
        if (KINDS.has(event)) yield [event, read(data)];
        if (event === "answer") return;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem && (error.status !== 0 || last === null)) throw error;
    }
    if (last === null) break;
    await slept(PAUSE_S, signal);
  }
  throw new Problem(0, "The connection to the service was lost", "Check that it is running and reachable, then ask again.");
}

/** Return the response to a question, or what comes after the event that was received last. */
async function taken(request, last, signal) {
  try {
    return await put(request, last, signal);
  } catch (error) {
    // The service was started anew meanwhile: it is asked anew.
    if (last === null || error.code !== "unknown-stream") throw error;
    return put(request, null, signal);
  }
}

function put(request, last, signal) {
  const headers = { accept: "text/event-stream, application/json;q=0.5" };
  if (last !== null) headers["last-event-id"] = last;
  return send("v1/ask", posting(request, headers, signal));
}

function read(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw noReply(200, "The reply is not JSON.");
  }
}

function refused(data) {
  const body = read(data) ?? {};
  return problemIn(body, body.status ?? 500);
}
