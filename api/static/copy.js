// An answer as text to paste elsewhere, with its citations: plain, Markdown, BibTeX. And the clipboard.

import { dayOf, element, isWeb, pageOf, titleOf } from "./dom.js";

const oneLine = (text) => String(text).replace(/\s+/g, " ").trim();

/** Return whether the sources give several values for the question. */
export function differs(reply) {
  return reply.sources_differ === true && (reply.sides ?? []).length > 1;
}

/** Return the phrases of a quote that need explaining, each once: [{text, from, to}]. */
export function datesOf({ dates }) {
  return [...new Map((dates ?? []).map((date) => [`${date.from} ${date.text}`, date])).values()];
}

/** Return what the words of a quote mean: whom it speaks of, what "Tuesday" is; `set` writes a text of the source. */
function notesOf(source, set) {
  const days = datesOf(source).map(({ text, from, to }) => `“${set(text)}” is ${set(from === to ? from : `${from} to ${to}`)}`);
  const context = source.context ? [`for context, not part of the quote: “${set(source.context.quote)}”`] : [];
  return [...days, ...context];
}

/** Return where a quote stands, to be found again: characters of a revision. */
function placeOf(source) {
  return `characters ${source.start}–${source.end} of ${source.revision}`;
}

function factsOf(source) {
  const facts = [titleOf(source), source.publisher, source.author, source.published_at, pageOf(source)];
  return facts.filter((fact, at) => fact && facts.indexOf(fact) === at).map(oneLine);
}

/** Return the answer as plain text: question, short answer or sides, quotes, then one line a source. */
export function plainText(reply, question) {
  const quotes = reply.citations.map((source) => {
    const notes = notesOf(source, oneLine).map((note) => `\n    ${note}`);
    return `“${source.quote}” [${source.number}]${notes.join("")}`;
  });
  const sources = reply.citations.map((source) => {
    return `[${source.number}] ${[...factsOf(source), ...addressIn(source)].join(", ")}; ${placeOf(source)}`;
  });
  return blocks([oneLine(question)], answerIn(reply, oneLine, []), quotes, sources);
}

/** Return the answer as Markdown, in which no text of a document is markup. */
export function markdown(reply, question) {
  const quotes = reply.citations.map((source) => {
    const lines = `“${source.quote}”`.split("\n").map(plain);
    lines.push(`${lines.pop()} [${source.number}]`, ...notesOf(source, plain).flatMap((note) => ["", `*${note}*`]));
    return lines.map((line) => `> ${line}`.trimEnd()).join("\n");
  });
  const sources = reply.citations.map((source) => {
    const [title, ...facts] = factsOf(source).map(plain);
    const named = isWeb(source.uri) ? [`[${title}](<${address(source.uri)}>)`, ...facts] : [title, ...facts, ...addressIn(source).map(plain)];
    return `${source.number}. ${named.join(", ")}; ${placeOf(source)}`;
  });
  const first = answerIn(reply, plain, [""], "**");
  return blocks([`### ${plain(question)}`], first, [quotes.join("\n\n")], sources);
}

/** Return the lines that say the short answer, or the sides where sources differ. */
function answerIn(reply, set, gap, strong = "") {
  if (!differs(reply)) return reply.short_answer ? [`${strong}${set(reply.short_answer)}${strong}`] : [];
  const sides = reply.sides.map((side) => `- ${set(side.value)} ${(side.citations ?? []).map((n) => `[${n}]`).join(" ")}`);
  return ["The sources differ:", ...gap, ...sides];
}

/** Return the source's address, unless that is what it goes by already. */
function addressIn(source) {
  return source.uri && source.uri !== titleOf(source) ? [oneLine(source.uri)] : [];
}

/** Return the citations as BibTeX (biblatex's fields), each with its quote and what the quote's words mean. */
export function bibtex(reply) {
  const entries = reply.citations.map((source) => {
    // In braces of their own, so that no case is changed and no name is taken apart.
    const whole = (text) => text && `{${tex(text)}}`;
    const fields = [
      ["title", whole(titleOf(source))],
      ["author", whole(source.author)],
      ["publisher", whole(source.publisher)],
      ["date", dayOf(source.published_at)],
      ["pages", Number.isInteger(source.page) ? String(source.page) : null],
      ["url", isWeb(source.uri) ? address(source.uri) : null],
      ["howpublished", source.uri && !isWeb(source.uri) ? source.uri : null],
      ["annotation", `“${source.quote}”`],
      ["note", [placeOf(source), ...notesOf(source, oneLine)].join("; ")],
    ];
    const ready = new Set(["title", "author", "publisher", "url"]);
    const lines = fields.filter(([, value]) => value).map(([name, value]) => `  ${name} = {${ready.has(name) ? value : tex(value)}},`);
    return [`@misc{citespan-${String(source.quote_sha256).replace(/\W/g, "").slice(0, 12)},`, ...lines, "}"].join("\n");
  });
  return blocks(...entries.map((entry) => [entry]));
}

function blocks(...found) {
  return found.filter((block) => block.length > 0).map((block) => block.join("\n")).join("\n\n") + "\n";
}

/** Return a text as one line of Markdown that reads as the text itself. */
function plain(text) {
  return oneLine(text)
    .replace(/[\\`*_{}[\]<>#|~&$^]/g, "\\$&")
    .replace(/^(\d+)(?=[.)])/, "$1\\")
    .replace(/^[-+=]/, "\\$&")
    // An address by itself would become a link.
    .replace(/:(?=\/\/)|@|(?<=www)\./gi, "\\$&");
}

/** Return an address that ends where it ends, in Markdown and in BibTeX alike. */
function address(uri) {
  return String(uri).replace(/[\s<>"\\{}`|^]/g, encodeURIComponent).replace(/[()]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
}

const TEX = new Map([
  ["\\", "\\textbackslash{}"], ["{", "\\textbraceleft{}"], ["}", "\\textbraceright{}"], ["~", "\\textasciitilde{}"],
  ["^", "\\textasciicircum{}"], ..."%&$#_".split("").map((character) => [character, `\\${character}`]),
]);

/** Return a text as BibTeX that reads as the text itself. */
function tex(text) {
  return oneLine(text).replace(/[\\{}~^%&$#_]/g, (character) => TEX.get(character));
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea.unseen", { "aria-hidden": "true", tabindex: "-1" });
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
