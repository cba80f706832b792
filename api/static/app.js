// The page: the question box, the conversation, and what connects them to the library and the source panel.

import { asking } from "./asking.js";
import { begun, isForgotten, requestOf } from "./conversation.js";
import { announce, byId, focusOn, grouped, onClick } from "./dom.js";
import { addressOfConversation, Drawer } from "./drawer.js";
import { isReply, Kept, named } from "./kept.js";
import { Library } from "./library.js";
import { Progress } from "./progress.js";
import { forgetPurged } from "./purged.js";
import { expectProblem, noReply } from "./service.js";
import { SourcePanel } from "./source.js";
import { TurnView } from "./turn.js";

const LONGEST = 2000;
const COUNT_FROM = 1800;
const NAME = document.title;

const form = byId("ask");
const box = byId("question");
const send = byId("send");
const count = byId("ask-count");
const log = byId("log");
const intro = byId("intro");
const fresh = byId("new-conversation");

const panel = new SourcePanel(byId("source"));
const open = (entries, index) => panel.open(entries, index);
const library = new Library(open);
const kept = new Kept();
const hover = matchMedia("(hover: hover)");

let conversation = begun();
let views = [];
let running = null;

new Drawer(kept, {
  current: () => conversation.id,
  fresh: startAnew,
  renamed: (id, title) => {
    if (id !== conversation.id) return;
    conversation.title = title;
    entitle();
  },
  gone: (ids) => ids.includes(conversation.id) && startAnew(),
});

const acts = {
  open,
  again: (view) => running === null && (run(view), focusOn(box)),
  anew: put,
  edit: (question) => {
    write(question);
    box.focus();
  },
};

function busy(controller) {
  running = controller;
  send.disabled = controller !== null;
  form.ariaBusy = send.disabled;
  send.textContent = send.disabled ? "Asking…" : "Ask";
}

function write(question) {
  box.value = question;
  measure();
}

function measure() {
  const length = box.value.length;
  count.hidden = length < COUNT_FROM;
  count.textContent = `${grouped(length)} of ${grouped(LONGEST)} characters`;
  count.classList.toggle("full", length >= LONGEST);
}

function submit(event) {
  event.preventDefault();
  const question = box.value.trim();
  if (question === "" || running !== null) return;
  write("");
  put(question);
}

function put(question) {
  if (running !== null) return;
  const turn = { question, reply: null };
  conversation.turns.push(turn);
  show(turn);
  library.show(false);
  run(views.at(-1));
}

function show(turn) {
  const view = new TurnView(turn, views.length + 1, acts);
  views.push(view);
  log.append(view.node);
  intro.hidden = true;
  fresh.hidden = false;
}

/** Keep the conversation as it is now; the page's address is from now on that of the conversation. */
function keep() {
  conversation.changed = Date.now();
  kept.put(conversation);
  history.replaceState(null, "", addressOfConversation(conversation.id));
  entitle();
}

function entitle() {
  document.title = conversation.turns.length === 0 ? NAME : `${named(conversation).slice(0, 80)} – ${NAME}`;
}

/** Ask, and put the reply (or what went wrong) into the turn. */
async function run(view) {
  const controller = new AbortController();
  const within = conversation;
  const progress = new Progress(view.turn.question, {
    open,
    stop: () => {
      controller.abort();
      box.focus();
    },
    told: announce,
  });
  busy(controller);
  keep();
  view.wait(progress.nodes);
  try {
    view.turn.reply = await answered(within, view.turn, progress, controller.signal);
    within.server = view.turn.reply.conversation_id || null;
    if (within !== conversation) return;
    view.tell();
    keep();
    library.notice(view.turn.reply.generation);
    outdate();
  } catch (error) {
    if (within !== conversation) return;
    view.fail(error);
    if (error.name !== "AbortError") expectProblem(error);
  } finally {
    if (running === controller) busy(null);
  }
  view.reveal({ insist: false });
}

/** Return the reply to a turn's question. What the service has forgotten it is told again. */
async function answered(within, turn, progress, signal) {
  const before = { ...within, turns: within.turns.slice(0, within.turns.indexOf(turn)) };
  try {
    return await received(requestOf(before, turn.question), progress, signal);
  } catch (error) {
    if (!isForgotten(before, error)) throw error;
    return received(requestOf({ ...before, server: null }, turn.question), progress, signal);
  }
}

async function received(request, progress, signal) {
  for await (const [kind, data] of asking(request, signal)) {
    if (kind === "retrieval") progress.read(data);
    else if (kind === "citation") progress.quote(data);
    else if (isReply(data)) return data;
  }
  throw noReply(0, null);
}

function outdate() {
  const latest = Math.max(library.generation ?? 0, ...views.map((view) => view.generation));
  for (const view of views) view.outdate(latest);
}

function turnTo(next) {
  running?.abort();
  busy(null);
  panel.close();
  conversation = next;
  views = [];
  // What was said long ago is not news.
  log.ariaLive = "off";
  log.replaceChildren();
  intro.hidden = false;
  fresh.hidden = true;
  for (const turn of next.turns) show(turn);
  for (const view of views) view.tell();
  library.show(next.turns.length === 0);
  entitle();
  setTimeout(() => (log.ariaLive = "polite"), 500);
}

function plainAddress() {
  return location.pathname + location.search;
}

function startAnew() {
  if (location.hash !== "") history.pushState(null, "", plainAddress());
  turnTo(begun());
  announce("New conversation.");
  scrollTo({ top: 0 });
  box.focus();
}

/** Show the conversation that the page's address names; a new one if it names none that is kept. */
function follow() {
  const id = /^#c=(\w+)$/.exec(location.hash)?.[1] ?? null;
  if (id === conversation.id) return;
  const found = id === null ? null : kept.get(id);
  if (found === null) {
    if (conversation.turns.length > 0) startAnew();
    if (id !== null) {
      history.replaceState(null, "", plainAddress());
      announce("This conversation is not kept in this browser.");
    }
    return;
  }
  turnTo(found);
  outdate();
  announce(`Conversation: ${named(found)}`);
  views.at(-1)?.reveal();
  focusOn(hover.matches ? box : log);
  forgetPurged(found).then((turns) => {
    if (turns.length === 0) return;
    kept.put(found);
    for (const view of views) if (turns.includes(view.turn)) view.tell();
  });
}

form.addEventListener("submit", submit);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
box.addEventListener("input", measure);
onClick(fresh, startAnew);
addEventListener("hashchange", follow);

measure();
library.refresh().then(outdate);
follow();
if (hover.matches && conversation.turns.length === 0) focusOn(box);
