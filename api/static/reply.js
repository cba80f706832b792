// A reply as elements: the answer and its quotes, the sides where sources differ, or what is nearest.

import { bibtex, copyText, datesOf, differs, markdown, plainText } from "./copy.js";
import { button, counted, dateOf, dotted, element, isolated, pageOf, titled, titleOf } from "./dom.js";
import { expectProblem } from "./service.js";
import { quoted } from "./spans.js";
import { allVerified } from "./verify.js";

/** Return the elements of a reply; `open(entries, index)` shows a source. */
export function replyElements(reply, question, open) {
  const rest = reply.answerable ? answerElements(reply, question, open) : silenceElements(reply, open);
  return [understoodElement(reply, question), ...rest].filter(Boolean);
}

/** Return what a question was taken for, null if it was taken as it stands. */
export function understoodElement({ standalone_question: understood, question: read }, question) {
  // The service evens out spaces and the like before it reads a question: that alone is no other question.
  if (!understood || understood === question || understood === read) return null;
  return element("p.understood", "understood as: ", isolated(understood));
}

/** Return the quotes of citations, each with the chip that opens its source. */
export function quotesElement(citations, open, kind = "citation") {
  const entries = entriesOf(citations, kind);
  const quotes = entries.map((entry, index) => quoteElement(entry, chipFor(entries, index, open)));
  return element("ol.quotes", { "aria-label": kind === "nearest" ? "Nearest passages" : "Quotes" }, ...quotes);
}

function entriesOf(citations, kind) {
  return citations.map((source) => ({ source, kind, opener: null }));
}

function answerElements(reply, question, open) {
  const citations = reply.citations ?? [];
  const short = reply.short_answer && element("p.answer", { dir: "auto" }, element("mark", String(reply.short_answer)));
  const said = differs(reply) ? sidesElements(reply.sides, citations, open) : [short, quotesElement(citations, open)];
  return [...said, footElement({ ...reply, citations }, question)];
}

function silenceElements(reply, open) {
  const nearest = reply.nearest ?? [];
  const told = element("span", { role: "status" });
  const receipt = receiptButton(reply, told);
  const heading = element("h3", "Nearest passages ", element("span.badge", "not an answer"));
  return [
    element("p.silence", "The sources do not say."),
    nearest.length > 0 && element("section.near", heading, quotesElement(nearest, open, "nearest")),
    receipt && element("footer.foot", receipt, told),
  ];
}

/** Return the button that opens entries[index]: number, publisher and date, or the title where there is neither. */
function chipFor(entries, index, open) {
  const { source, kind } = entries[index];
  const house = (name) => element("bdi.house", String(name));
  const named = source.publisher || source.published_at;
  const facts = named ? [source.publisher && house(source.publisher), dateOf(source.published_at)] : [house(titleOf(source))];
  const number = element("span.number", `[${source.number ?? index + 1}]`);
  const act = () => open(entries.map((entry, at) => (at === index ? { ...entry, opener: chip } : entry)), index);
  const chip = button("chip", number, act, { "aria-haspopup": "dialog" });
  const rest = element("span.unseen", `, open ${kind === "nearest" ? "passage" : "source"}`);
  chip.append(" ", dotted(element("span.label"), ...facts), rest);
  entries[index].opener ??= chip;
  return chip;
}

function quoteElement({ source, kind }, chip) {
  const block = element("blockquote", { dir: "auto" }, element("span.words", ...quoteNodes(source)));
  const title = (source.publisher || source.published_at) && element("cite", titled(source));
  const facts = dotted(element("span"), title, pageOf(source));
  const beside = kind === "nearest" ? [] : [datesElement(source), contextElement(source)];
  return element("li", element("figure", block, ...beside, element("figcaption", chip, " ", facts)));
}

/** Return what the quote's "Tuesday" and the like mean, null if there is nothing to explain. */
function datesElement(source) {
  const parts = datesOf(source).map(({ text, from, to }) => element("span", "“", isolated(text), "” is ", ...days(from, to)));
  return parts.length === 0 ? null : dotted(element("p.dates"), ...parts);
}

function days(first, last) {
  return String(first).slice(0, 10) === String(last).slice(0, 10) ? [dateOf(first)] : [dateOf(first), " to ", dateOf(last)];
}

/** Return the sentence that says whom the quote speaks of, marked as no part of it; null if it needs none. */
function contextElement({ context }) {
  if (!context) return null;
  const badge = element("span.badge", "not part of the quote");
  return element("p.context", { dir: "auto" }, "For context: “", isolated(context.quote), "” ", badge);
}

function quoteNodes({ quote, highlight, start }) {
  const moved = highlight ? { start: highlight.start - start, end: highlight.end - start } : null;
  return quoted(quote, moved);
}

/** Return the sides next to each other, each with its quotes; then the quotes that are on no side. */
function sidesElements(sides, citations, open) {
  const entries = entriesOf(citations, "citation");
  const shown = new Set();
  const quotes = (places) => {
    const fresh = places.filter((place) => !shown.has(place));
    fresh.forEach((place) => shown.add(place));
    const items = fresh.map((place) => quoteElement(entries[place], chipFor(entries, place, open)));
    return items.length > 0 && element("ol.quotes", ...items);
  };
  const cards = sides.map((side) => {
    const places = citations.flatMap(({ number }, place) => ((side.citations ?? []).includes(number) ? [place] : []));
    const again = places.filter((place) => shown.has(place)).map((place) => chipFor(entries, place, open));
    return sideElement(side, quotes(places), again);
  });
  const left = citations.map((_, place) => place).filter((place) => !shown.has(place));
  return [element("section.sides", element("h3", "The sources differ"), element("ul", ...cards)), quotes(left)];
}

function sideElement(side, quotes, again) {
  const meta = dotted(
    element("p.meta"),
    counted(side.documents, "document"),
    side.independent < side.documents && `${side.independent} independent`,
    side.published_from && side.published_to && element("span", ...days(side.published_from, side.published_to)),
  );
  const value = element("p.value", { dir: "auto" }, String(side.value));
  return element("li", value, meta, quotes, again.length > 0 && element("p.chips", ...again));
}

function footElement(reply, question) {
  const told = element("span", { role: "status" });
  const sure = { title: "Estimated probability that this answers the question" };
  const copies = element(
    "div",
    { role: "group", "aria-label": "Copy as" },
    copyButton("Plain text", () => plainText(reply, question), told),
    copyButton("Markdown", () => markdown(reply, question), told),
    copyButton("BibTeX", () => bibtex(reply), told),
  );
  return element(
    "footer.foot",
    typeof reply.confidence === "number" && element("span", sure, `confidence ${reply.confidence.toFixed(2)}`),
    verifyButton(reply.citations, told),
    element("details.copies", element("summary", "Copy with citations"), copies),
    receiptButton(reply, told),
    told,
  );
}

function tell(told, words, name = "") {
  told.className = name;
  told.textContent = words;
}

function verifyButton(citations, told) {
  return button("quiet", citations.length === 1 ? "Verify the quote" : "Verify all quotes", async () => {
    tell(told, "Checking…");
    try {
      const { held, words } = await allVerified(citations);
      tell(told, words, held ? "good" : "bad");
    } catch (error) {
      expectProblem(error);
      tell(told, `Not checked: ${error.title}.`);
    }
  });
}

/** Return a button that copies the reply's receipt, null if it has none. */
function receiptButton({ receipt }, told) {
  if (typeof receipt !== "string") return null;
  const copy = copyButton("Copy receipt", () => receipt, told);
  copy.title = "“citespan replay” gives this very reply again for it";
  return copy;
}

function copyButton(label, text, told) {
  return button("quiet", label, async () => {
    tell(told, (await copyText(text())) ? "Copied." : "The browser did not allow copying.");
  });
}
