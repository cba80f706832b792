// A conversation: what was asked and replied, and how the next question is put.

import { Problem } from "./service.js";
import { hexadecimal } from "./spans.js";

// Of a long conversation only the end says what a question means.
const TURNS_SENT = 20;
const LONGEST_ANSWER = 20_000;

export function begun() {
  return { id: hexadecimal(crypto.getRandomValues(new Uint8Array(12))), title: null, server: null, changed: Date.now(), turns: [] };
}

/**
 * Return the request that puts a question: to the conversation that the service keeps, or, where it keeps none, with
 * what was said before.
 */
export function requestOf(conversation, question) {
  if (conversation.server !== null) return { question, conversation_id: conversation.server };
  const said = conversation.turns.filter(({ reply }) => reply !== null && !reply.purged).slice(-TURNS_SENT);
  if (said.length === 0) return { question };
  return { question, conversation: said.map((turn) => ({ question: turn.question, answer: answerIn(turn.reply) })) };
}

/** Return whether the service has forgotten the conversation: then it goes on with what this page knows. */
export function isForgotten(conversation, error) {
  return error instanceof Problem && error.status === 404 && conversation.server !== null;
}

function answerIn(reply) {
  const quotes = (reply.citations ?? []).map(({ quote }) => quote);
  return reply.answerable && quotes.length > 0 ? [...quotes.join("\n")].slice(0, LONGEST_ANSWER).join("") : null;
}
