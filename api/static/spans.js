// Offsets and hashes. The service counts Unicode code points, JavaScript counts UTF-16 units: this file is
// the only place where one becomes the other.

import { element } from "./dom.js";

/** Return the UTF-16 index of each code point offset; a RangeError if one lies outside the text. */
function unitOffsets(text, offsets) {
  const units = new Map();
  let point = 0;
  let unit = 0;
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    while (point < offset && unit < text.length) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point += 1;
    }
    if (point !== offset) throw new RangeError(`no character ${offset} in a text of ${point}`);
    units.set(offset, unit);
  }
  return offsets.map((offset) => units.get(offset));
}

/** Return text[start:end], counted in code points; null if the text is shorter. */
function slice(text, start, end) {
  try {
    return text.slice(...unitOffsets(text, [start, end]));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}

/** Return whether the text has the quote where the source says; a whole document has none. */
export function holdsQuote(text, { quote, start, end }) {
  return quote !== undefined && slice(text, start, end) === quote;
}

/** Return the part of `inner` that lies in `outer`, or null if there is none. */
function within(inner, outer) {
  if (!Number.isInteger(inner?.start) || !Number.isInteger(inner?.end)) return null;
  const start = Math.max(inner.start, outer.start);
  const end = Math.min(inner.end, outer.end);
  return start < end ? { start, end } : null;
}

/**
 * Return a function from a range of UTF-16 indexes to its nodes, with what lies in the span in `mark.span` and
 * what lies in the highlight in `mark.short` inside it. Span and highlight are in code points; either may be null.
 */
function marker(text, span, highlight) {
  if (span === null) return (from, to) => [text.slice(from, to)];
  const inner = within(highlight, span) ?? { start: span.end, end: span.end };
  const [start, shortFrom, shortTo, end] = unitOffsets(text, [span.start, inner.start, inner.end, span.end]);
  return (from, to) => {
    const part = (low, high) => text.slice(Math.max(low, from), Math.max(Math.min(high, to), low, from));
    const marked = (name, ...nodes) => nodes.some(Boolean) && element("mark", { class: name }, ...nodes);
    const short = marked("short", part(shortFrom, shortTo));
    const inside = marked("span", part(start, shortFrom), short, part(shortTo, end));
    return [part(0, start), inside, part(end, text.length)];
  };
}

/** Return the nodes of a quote with its highlight marked; the highlight counts from the start of the quote. */
export function quoted(quote, highlight) {
  const inner = within(highlight, { start: 0, end: [...quote].length });
  if (inner === null) return [quote];
  const [from, to] = unitOffsets(quote, [inner.start, inner.end]);
  const short = element("mark.short", quote.slice(from, to));
  return [quote.slice(0, from), short, quote.slice(to)];
}

const LONG_LINE = 100;
const LINES_A_PART = 50;

/**
 * Return elements that together hold the whole text, with the span and its highlight marked: parts of some lines,
 * which the browser lays out only when they come into view, and in them one element a line. A long line is a
 * paragraph and is set apart even where no blank line does it; short ones (verse, lists) stay close.
 */
export function printed(text, span, highlight) {
  const nodes = marker(text, span, highlight);
  const parts = [];
  let lines = LINES_A_PART;
  for (let from = 0, to = 0; from < text.length; from = to) {
    to = text.indexOf("\n", from) + 1 || text.length;
    const blank = text.slice(from, to).trim() === "";
    const name = to - from > LONG_LINE ? "line paragraph" : blank ? "line blank" : "line";
    if (lines === LINES_A_PART) {
      parts.push(element("div.part"));
      lines = 0;
    }
    parts.at(-1).append(element("div", { class: name, dir: "auto" }, ...nodes(from, to)));
    lines += 1;
  }
  return parts;
}

/** Return whether this browser can hash here: only in a secure context, such as https or localhost. */
export function canHash() {
  return globalThis.crypto?.subtle !== undefined;
}

async function sha256(bytes) {
  return hexadecimal(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

export function hexadecimal(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sameHash(claimed, computed) {
  return String(claimed).replace(/^sha256:/, "").toLowerCase() === computed;
}

/**
 * Return what was checked of a citation against the bytes of its revision: [{claim, holds}], the widest first.
 * A source without a quote (a whole document) is checked by its revision alone.
 */
export async function check(source, bytes, text) {
  const checks = [{ claim: "Text SHA-256 is the revision", holds: sameHash(source.revision, await sha256(bytes)) }];
  if (source.quote === undefined) return checks;
  const utf8 = new TextEncoder();
  const found = slice(text, source.start, source.end);
  checks.push({ claim: `Characters ${source.start}–${source.end} are the quote`, holds: found === source.quote });
  if (Number.isInteger(source.byte_start) && Number.isInteger(source.byte_end)) {
    const cut = bytes.slice(source.byte_start, source.byte_end);
    const same = (await sha256(cut)) === (await sha256(utf8.encode(source.quote)));
    checks.push({ claim: `Bytes ${source.byte_start}–${source.byte_end} are the quote`, holds: same });
  }
  const holds = found !== null && sameHash(source.quote_sha256, await sha256(utf8.encode(found)));
  checks.push({ claim: "Quote SHA-256 is the citation’s", holds });
  return checks;
}
