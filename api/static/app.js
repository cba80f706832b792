// The page: the question box, the conversation, and what connects them to the library and the source panel.

import { button, element } from "./dom.js";
import { Library } from "./library.js";
import { replyElements } from "./reply.js";
import { ask, Problem } from "./service.js";
import { SourcePanel } from "./source.js";

const LONGEST = 2000;
const COUNT_FROM = 1800;

const form = document.querySelector("#ask");
const box = document.querySelector("#question");
const send = document.querySelector("#send");
const count = document.querySelector("#ask-count");
const log = document.querySelector("#log");
const intro = document.querySelector("#intro");
const fresh = document.querySelector("#new-conversation");
const announcer = document.querySelector("#announcer");

const panel = new SourcePanel(document.querySelector("#source"));
const open = (entries, index) => panel.open(entries, index);
const library = new Library(open);

let conversation = null;
let running = null;
let turns = 0;

function busy(controller) {
  running = controller;
  form.setAttribute("aria-busy", String(controller !== null));
  send.disabled = controller !== null;
  send.textContent = controller === null ? "Ask" : "Asking…";
}

function measure() {
  const length = box.value.length;
  count.hidden = length < COUNT_FROM;
  count.textContent = `${length.toLocaleString("en")} of ${LONGEST.toLocaleString("en")} characters`;
  count.classList.toggle("full", length >= LONGEST);
}

function submit() {
  const question = box.value.trim();
  if (question === "" || running !== null) return;
  box.value = "";
  measure();
  const turn = startTurn(question);
  run(turn, question);
}

function startTurn(question) {
  turns += 1;
  const heading = element("h2", { id: `turn-${turns}`, class: "question", dir: "auto" }, question);
  const body = element("div", { class: "reply" });
  const turn = element("article", { class: "turn", "aria-labelledby": heading.id }, heading, body);
  log.append(turn);
  intro.hidden = true;
  fresh.hidden = false;
  library.show(false);
  return turn;
}

/** Ask, and put the reply (or what went wrong) into the turn. */
async function run(turn, question) {
  const controller = new AbortController();
  const body = turn.querySelector(".reply");
  busy(controller);
  body.className = "reply";
  body.replaceChildren(waiting(controller));
  turn.scrollIntoView({ block: "start" });
  try {
    const reply = await ask(question, conversation, controller.signal);
    if (!turn.isConnected) return;
    const nodes = replyElements(reply, question, open);
    conversation = reply.conversation_id ?? null;
    body.replaceChildren(...nodes);
    library.notice(reply.generation);
  } catch (error) {
    if (!turn.isConnected) return;
    body.replaceChildren(...failure(turn, question, error));
    if (!(error instanceof Problem) && error.name !== "AbortError") throw error;
  } finally {
    if (running === controller) busy(null);
  }
  turn.scrollIntoView({ block: "start" });
}

function waiting(controller) {
  const stop = button("Stop", { class: "quiet" }, () => {
    controller.abort();
    box.focus();
  });
  return element("div", { class: "waiting" }, element("p", { class: "note" }, "Reading the documents…"), stop);
}

function failure(turn, question, error) {
  if (error.name === "AbortError") return [element("p", { class: "note" }, "Stopped."), retry(turn, question)];
  const problem = error instanceof Problem ? error : new Problem(0, "The reply could not be shown", "The service sent a reply that this page does not understand.");
  const lost = problem.status === 404 && conversation !== null;
  const list = problem.errors.length > 0 ? element("ul", {}, ...problem.errors.map((text) => element("li", {}, text))) : null;
  const message = element(
    "div",
    { class: "problem" },
    element("p", { class: "problem-title" }, problem.title),
    problem.detail ? element("p", {}, problem.detail) : null,
    list,
    lost ? element("p", {}, "Asking again starts a new conversation.") : null,
  );
  if (lost) conversation = null;
  return [message, retry(turn, question)];
}

function retry(turn, question) {
  const again = button("Ask again", { class: "secondary" }, () => {
    if (running !== null) return;
    run(turn, question);
    box.focus({ preventScroll: true });
  });
  const edit = button("Edit the question", { class: "quiet" }, () => {
    box.value = question;
    measure();
    box.focus();
  });
  return element("p", { class: "foot" }, again, edit);
}

function startAnew() {
  running?.abort();
  busy(null);
  panel.close();
  conversation = null;
  log.replaceChildren();
  intro.hidden = false;
  fresh.hidden = true;
  library.show(true);
  announcer.textContent = "New conversation.";
  scrollTo({ top: 0 });
  box.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
box.addEventListener("input", measure);
fresh.addEventListener("click", startAnew);

measure();
library.refresh();
if (matchMedia("(hover: hover)").matches) box.focus({ preventScroll: true });
