// A reply as elements: the answer and its quotes, the sides where sources differ, or what is nearest.

import { button, counted, dateOf, dotted, element, isolated, titleOf } from "./dom.js";
import { quoted } from "./spans.js";

/** Return the elements of a reply; `open(entries, index)` shows a source. */
export function replyElements(reply, question, open) {
  const understood = reply.standalone_question;
  const nodes = [];
  // The service evens out spaces and the like before it reads a question: that alone is no other question.
  if (understood && understood !== question && understood !== reply.question) {
    nodes.push(element("p", { class: "understood" }, "understood as: ", isolated(understood)));
  }
  return nodes.concat(reply.answerable ? answerElements(reply, question, open) : silenceElements(reply, open));
}

function answerElements(reply, question, open) {
  const citations = reply.citations ?? [];
  const entries = citations.map((source) => ({ source, kind: "citation", opener: null }));
  const chip = (index) => chipFor(entries, index, open);
  const quotes = entries.map((entry, index) => quoteElement(entry, chip(index)));
  const differ = reply.sources_differ === true && (reply.sides ?? []).length > 1;
  return [
    differ ? sidesElement(reply.sides, citations, chip) : null,
    !differ && reply.short_answer ? shortElement(reply.short_answer) : null,
    element("ol", { class: "quotes", "aria-label": "Quotes" }, ...quotes),
    footElement(reply, question, citations),
  ].filter((node) => node !== null);
}

function shortElement(words) {
  return element("p", { class: "answer", dir: "auto" }, element("mark", {}, words));
}

function silenceElements(reply, open) {
  const entries = (reply.nearest ?? []).map((source) => ({ source, kind: "nearest", opener: null }));
  const told = element("span", { role: "status" });
  const receipt = receiptButton(reply, told);
  const foot = receipt ? [element("footer", { class: "foot" }, receipt, told)] : [];
  const nodes = [element("p", { class: "silence" }, "The sources do not say.")];
  if (entries.length === 0) return [...nodes, ...foot];
  const quotes = entries.map((entry, index) => quoteElement(entry, chipFor(entries, index, open)));
  const heading = element("h3", {}, "Nearest passages ", element("span", { class: "badge" }, "not an answer"));
  return [...nodes, element("section", { class: "near" }, heading, element("ol", { class: "quotes" }, ...quotes)), ...foot];
}

function chipFor(entries, index, open) {
  const { source, kind } = entries[index];
  const number = source.number ?? index + 1;
  const what = kind === "nearest" ? "passage" : "source";
  const label = `[${number}] open ${what}: ${titleOf(source)}`;
  const chip = button(`[${number}]`, { class: "chip", "aria-label": label, "aria-haspopup": "dialog" }, () => {
    open(entries.map((entry, at) => (at === index ? { ...entry, opener: chip } : entry)), index);
  });
  entries[index].opener ??= chip;
  return chip;
}

function quoteElement({ source, kind }, chip) {
  const caption = dotted(element("figcaption"), [
    element("cite", {}, isolated(titleOf(source))),
    source.publisher ? isolated(source.publisher) : null,
    source.published_at ? dateOf(source.published_at) : null,
    Number.isInteger(source.page) ? `page ${source.page}` : null,
  ]);
  const words = element("span", { class: "words" }, ...quoteNodes(source));
  const block = element("blockquote", { dir: "auto" }, words);
  if (kind === "nearest") caption.prepend(chip);
  else block.append(element("span", { class: "end" }, " ", chip));
  const beside = kind === "nearest" ? [] : [datesElement(source), contextElement(source)];
  return element("li", {}, element("figure", {}, block, ...beside, caption));
}

/** Return what the quote's "Tuesday" and the like mean, null if there is nothing to explain. */
function datesElement({ dates }) {
  const seen = (dates ?? []).filter((date, at, all) => all.findIndex(({ text, from }) => text === date.text && from === date.from) === at);
  if (seen.length === 0) return null;
  const parts = seen.map(({ text, from, to }) => {
    const days = from === to ? [dateOf(from)] : [dateOf(from), " to ", dateOf(to)];
    return element("span", {}, "“", isolated(text), "” is ", ...days);
  });
  return dotted(element("p", { class: "dates" }), parts);
}

/** Return the sentence that says whom the quote speaks of, marked as no part of it; null if it needs none. */
function contextElement({ context }) {
  if (!context) return null;
  const badge = element("span", { class: "badge" }, "not part of the quote");
  return element("p", { class: "context", dir: "auto" }, "For context: “", isolated(context.quote), "” ", badge);
}

function quoteNodes({ quote, highlight, start }) {
  const moved = highlight ? { start: highlight.start - start, end: highlight.end - start } : null;
  return quoted(quote, moved);
}

function sidesElement(sides, citations, chip) {
  const cards = sides.map((side) => {
    const places = (side.citations ?? []).map((number) => citations.findIndex((source) => source.number === number));
    const chips = places.filter((place) => place >= 0).map((place) => chip(place));
    const documents = Number.isInteger(side.documents) ? counted(side.documents, "document") : null;
    const fewer = Number.isInteger(side.independent) && side.independent < side.documents;
    const witnesses = fewer ? `${side.independent} independent` : null;
    const value = element("p", { class: "value", dir: "auto" }, String(side.value));
    const meta = dotted(element("p", { class: "meta" }), [documents, witnesses, publishedElement(side)]);
    return element("li", {}, value, element("p", { class: "chips" }, ...chips), meta);
  });
  return element("section", { class: "sides" }, element("h3", {}, "The sources differ"), element("ul", {}, ...cards));
}

/** Return when a side's documents were published, null if none has a date. */
function publishedElement({ published_from: first, published_to: last }) {
  if (!first || !last) return null;
  const days = String(first).slice(0, 10) === String(last).slice(0, 10) ? [dateOf(first)] : [dateOf(first), " to ", dateOf(last)];
  return element("span", {}, ...days);
}

function footElement(reply, question, citations) {
  const told = element("span", { role: "status" });
  const copy = copyButton("Copy with citations", () => plainText(reply, question, citations), told);
  const confidence = typeof reply.confidence === "number" ? `confidence ${reply.confidence.toFixed(2)}` : null;
  const sure = confidence && element("span", { title: "Estimated probability that this answers the question" }, confidence);
  return element("footer", { class: "foot" }, sure, copy, receiptButton(reply, told), told);
}

/** Return a button that copies the reply's receipt, null if it has none. */
function receiptButton({ receipt }, told) {
  if (typeof receipt !== "string") return null;
  const copy = copyButton("Copy receipt", () => receipt, told);
  copy.title = "“citespan replay” gives this very reply again for it";
  return copy;
}

function copyButton(label, text, told) {
  return button(label, { class: "quiet" }, async () => {
    told.textContent = (await copyText(text())) ? "Copied." : "The browser did not allow copying.";
  });
}

const oneLine = (text) => String(text).replace(/\s+/g, " ").trim();

/** Return the answer as plain text: question, short answer or sides, quotes, then one line a source. */
export function plainText(reply, question, citations) {
  const differ = reply.sources_differ === true && (reply.sides ?? []).length > 1;
  const sides = (reply.sides ?? []).map((side) => `- ${oneLine(side.value)} ${(side.citations ?? []).map((n) => `[${n}]`).join(" ")}`);
  const sources = citations.map((source) => {
    const page = Number.isInteger(source.page) ? `page ${source.page}` : null;
    const facts = [titleOf(source), source.publisher, source.author, source.published_at, page, source.uri];
    const named = facts.filter((fact, at) => fact && facts.indexOf(fact) === at).map(oneLine).join(", ");
    return `[${source.number}] ${named}; characters ${source.start}–${source.end} of ${source.revision}`;
  });
  const blocks = [
    [oneLine(question)],
    differ ? ["The sources differ:", ...sides] : reply.short_answer ? [oneLine(reply.short_answer)] : [],
    citations.map((source) => `“${source.quote}” [${source.number}]`),
    sources,
  ];
  return blocks.filter((block) => block.length > 0).map((block) => block.join("\n")).join("\n\n") + "\n";
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "unseen", "aria-hidden": "true", tabindex: "-1" });
    const active = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    active?.focus();
    return done;
  }
}
