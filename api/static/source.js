// The source panel: the text that a citation points into, beside the answer (over it on a narrow screen).

import { addressOf, dateOf, dotted, element, isolated, titleOf } from "./dom.js";
import { canonicalText, Problem, verify as verifyByService } from "./service.js";
import { canHash, check, printed, slice } from "./spans.js";

const STATUS = {
  verified: "Verified by the service.",
  drifted: "The document has changed since it was quoted.",
  purged: "The document was purged from the library.",
  unknown: "The service does not know this citation.",
};

const KIND = {
  nearest: (source, place) => `Nearest passage${place}: not an answer`,
  citation: (source, place) => `Citation [${source.number}]${place && ","}${place}`,
  document: () => "Document",
};

/** The one panel of the page. `open` shows a source; `close` gives the focus back to what opened it. */
export class SourcePanel {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`#source-${name}`);
    this.verdict = root.querySelector("#verdict");
    this.narrow = matchMedia("(max-width: 63.99rem)");
    this.entries = [];
    this.index = 0;
    this.loaded = null;
    this.loading = null;

    this.part("previous").addEventListener("click", () => this.step(-1));
    this.part("next").addEventListener("click", () => this.step(1));
    this.part("close").addEventListener("click", () => this.close());
    root.querySelector("details").addEventListener("toggle", () => this.#scrollToMark());
    root.querySelector("#verify").addEventListener("click", () => this.verify());
    root.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.narrow.addEventListener("change", () => {
      if (!root.open) return;
      root.close();
      this.#show();
      this.#scrollToMark();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Show entries[index]; the other entries are what "next" and "previous" go to.
   * An entry is {source, kind, opener}: a citation (or a document), "citation" | "nearest" | "document", and the
   * element that gets the focus back.
   */
  open(entries, index) {
    this.#markOpener(false);
    this.entries = entries;
    this.index = index;
    this.#markOpener(true);
    if (!this.root.open) this.#show();
    this.#fill(entries[index]);
    this.part("text").focus({ preventScroll: true });
  }

  step(by) {
    const index = this.index + by;
    if (index >= 0 && index < this.entries.length) this.open(this.entries, index);
  }

  close() {
    if (!this.root.open) return;
    const active = document.activeElement;
    const free = active === document.body || active === null || this.root.contains(active);
    this.loading?.abort();
    this.root.close();
    document.body.classList.remove("reading");
    this.#markOpener(false);
    const opener = this.entries[this.index]?.opener;
    if (!free) active.focus();
    else if (opener?.isConnected) opener.focus();
  }

  /** Recompute the hashes here; where the browser cannot, ask the service. */
  async verify() {
    const entry = this.entries[this.index];
    const { source, kind } = entry;
    const loaded = this.loaded;
    const current = () => this.entries[this.index] === entry;
    this.verdict.replaceChildren("Checking…");
    try {
      if (loaded !== null && canHash()) {
        const checks = await check(source, loaded.bytes, loaded.text);
        if (current()) this.#judge(checks);
      } else if (kind === "document") {
        this.verdict.replaceChildren(
          loaded === null ? "There is no text to check." : "The browser hashes only over https or on localhost.",
        );
      } else {
        const status = await verifyByService(source);
        if (current()) this.#say(status === "verified", STATUS[status] ?? STATUS.unknown);
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (current()) this.#say(false, `Not checked: ${error.title}.`);
    }
  }

  #show() {
    document.body.classList.add("reading");
    if (this.narrow.matches) this.root.showModal();
    else this.root.show();
  }

  #markOpener(on) {
    const opener = this.entries[this.index]?.opener;
    if (on) opener?.setAttribute("aria-current", "true");
    else opener?.removeAttribute("aria-current");
  }

  #key(event) {
    if (!this.root.open || event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (!event.target.closest?.("textarea, input") && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      event.preventDefault();
      this.step(event.key === "ArrowLeft" ? -1 : 1);
    }
  }

  #fill(entry) {
    const { source, kind } = entry;
    const several = this.entries.length > 1 && kind !== "document";
    const place = several ? ` ${this.index + 1} of ${this.entries.length}` : "";
    this.part("kind").textContent = KIND[kind](source, place);
    this.part("title").textContent = titleOf(source);
    this.root.classList.toggle("nearest", kind === "nearest");
    for (const [name, last] of [["previous", 0], ["next", this.entries.length - 1]]) {
      this.part(name).hidden = !several;
      this.part(name).setAttribute("aria-disabled", String(this.index === last));
    }
    dotted(this.part("meta"), [
      source.publisher ? isolated(source.publisher) : null,
      source.author ? isolated(source.author) : null,
      source.published_at ? dateOf(source.published_at) : null,
      Number.isInteger(source.page) ? `page ${source.page}` : null,
      source.uri ? addressOf(source.uri) : null,
    ]);
    this.part("facts").replaceChildren(...facts(source));
    this.#warn(null);
    this.verdict.replaceChildren();
    this.#load(entry);
  }

  async #load({ source }) {
    this.loading?.abort();
    this.loading = new AbortController();
    this.loaded = null;
    const { signal } = this.loading;
    const pane = this.part("text");
    pane.setAttribute("aria-busy", "true");
    pane.replaceChildren(element("p", { class: "note" }, "Opening the text…"));
    try {
      const loaded = await canonicalText(source.document_id, source.revision, signal);
      if (signal.aborted) return;
      this.loaded = loaded;
      this.#print(source, loaded.text);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#warn([error.title, error.detail].filter(Boolean).join(". "));
      const kept = source.quote === undefined ? [] : [element("p", { class: "kept", dir: "auto" }, source.quote)];
      pane.replaceChildren(...kept);
    }
    pane.removeAttribute("aria-busy");
  }

  #print(source, text) {
    const pane = this.part("text");
    const whole = source.quote === undefined;
    const holds = !whole && holdsQuote(text, source);
    const span = holds ? { start: source.start, end: source.end } : null;
    pane.replaceChildren(element("div", { class: "page" }, ...printed(text, span, source.highlight)));
    pane.scrollTop = 0;
    this.#scrollToMark();
    if (!whole && !holds) this.#warn("The text at these offsets is not the quote. Do not rely on this citation.");
  }

  #scrollToMark() {
    const pane = this.part("text");
    const marks = [...pane.querySelectorAll("mark.span")];
    if (marks.length === 0) return;
    if (getComputedStyle(pane).overflowY === "visible") {
      marks[0].scrollIntoView({ block: "center" });
      return;
    }
    const view = pane.getBoundingClientRect();
    const top = marks[0].getBoundingClientRect().top;
    const height = marks.at(-1).getBoundingClientRect().bottom - top;
    pane.scrollTop += top - view.top - Math.max(24, Math.min((view.height - height) / 2, view.height * 0.4));
  }

  #warn(message) {
    this.part("warning").hidden = message === null;
    this.part("warning").textContent = message;
  }

  #judge(checks) {
    const held = checks.every(({ holds }) => holds);
    this.#say(held, held ? "Verified in this browser." : "Does not match.");
    const items = checks.map(({ claim, holds }) => element("li", {}, `${holds ? "✓" : "✗"} ${claim}`));
    this.verdict.append(element("ul", {}, ...items));
    this.#scrollToMark();
  }

  #say(held, words) {
    this.verdict.replaceChildren(element("strong", { class: held ? "good" : "bad" }, words));
  }
}

function holdsQuote(text, source) {
  try {
    return slice(text, source.start, source.end) === source.quote;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function facts(source) {
  const range = (start, end) => (Number.isInteger(start) && Number.isInteger(end) ? `${start}–${end}` : null);
  const rows = [
    ["Characters", range(source.start, source.end)],
    ["Short answer", range(source.highlight?.start, source.highlight?.end)],
    ["Bytes", range(source.byte_start, source.byte_end)],
    ["Quote SHA-256", source.quote_sha256],
    ["Revision", source.revision],
    ["Document", source.document_id],
  ];
  return rows
    .filter(([, value]) => value !== null && value !== undefined)
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, isolated(value))]);
}
