// The source panel: the text that a citation points into, beside the answer (over it on a narrow screen).

import { addressOf, byId, dateOf, definitions, dotted, element, focusOn, isolated, onClick, pageOf, titleOf } from "./dom.js";
import { canonicalText, expectProblem } from "./service.js";
import { canHash, holdsQuote, printed } from "./spans.js";
import { NO_HASHING, verified } from "./verify.js";

const KIND = {
  nearest: (source, place) => `Nearest passage${place}: not an answer`,
  citation: (source, place) => `Citation [${source.number}]${place && ","}${place}`,
  document: () => "Document",
};

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/** The one panel of the page. `open` shows a source; `close` gives the focus back to what opened it. */
export class SourcePanel {
  constructor(root) {
    this.root = root;
    this.part = (name) => byId(`source-${name}`);
    this.pane = this.part("text");
    this.verdict = byId("verdict");
    this.narrow = matchMedia("(max-width: 63.99rem)");
    this.entries = [];
    this.index = 0;
    this.loaded = null;
    this.loading = null;

    onClick(this.part("previous"), () => this.step(-1));
    onClick(this.part("next"), () => this.step(1));
    onClick(this.part("close"), () => this.close());
    root.querySelector("details").addEventListener("toggle", () => this.#scrollToMark());
    onClick(byId("verify"), () => this.verify());
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
    this.#fill(this.entry);
    focusOn(this.pane);
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
    const opener = this.entry?.opener;
    (free ? opener : active)?.focus();
  }

  /** Recompute the hashes here; where the browser cannot, ask the service. */
  async verify() {
    const { entry } = this;
    const current = () => this.entry === entry;
    this.verdict.replaceChildren("Checking…");
    try {
      const verdict = await verified(entry.source, this.loaded);
      if (current()) this.#judge(verdict);
    } catch (error) {
      expectProblem(error);
      if (current()) this.#judge({ held: false, words: `Not checked: ${error.title}.`, checks: [] });
    }
  }

  #show() {
    document.body.classList.add("reading");
    if (this.narrow.matches) this.root.showModal();
    else this.root.show();
  }

  get entry() {
    return this.entries[this.index];
  }

  #markOpener(on) {
    const opener = this.entry?.opener;
    if (opener) opener.ariaCurrent = on ? "true" : null;
  }

  #key(event) {
    const elsewhere = event.target.closest?.("dialog");
    if (elsewhere && elsewhere !== this.root) return;
    if (!this.root.open || event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key in STEPS && !event.target.closest?.("textarea, input")) {
      event.preventDefault();
      this.step(STEPS[event.key]);
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
      Object.assign(this.part(name), { hidden: !several, ariaDisabled: this.index === last });
    }
    dotted(
      this.part("meta"),
      isolated(source.publisher),
      isolated(source.author),
      dateOf(source.published_at),
      pageOf(source),
      addressOf(source.uri),
    );
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
    const { pane } = this;
    pane.ariaBusy = true;
    pane.replaceChildren(element("p.note", "Opening the text…"));
    try {
      const loaded = await canonicalText(source.document_id, source.revision, signal);
      if (signal.aborted) return;
      this.loaded = loaded;
      this.#print(source, loaded.text);
    } catch (error) {
      if (signal.aborted) return;
      expectProblem(error);
      this.#warn(error.words);
      pane.replaceChildren(source.quote === undefined ? "" : element("p.kept", { dir: "auto" }, source.quote));
    }
    pane.ariaBusy = null;
  }

  #print(source, text) {
    const holds = holdsQuote(text, source);
    this.pane.replaceChildren(element("div.page", ...printed(text, holds ? source : null, source.highlight)));
    this.pane.scrollTop = 0;
    this.#scrollToMark();
    if (source.quote !== undefined && !holds) this.#warn("The text at these offsets is not the quote. Do not rely on this citation.");
  }

  #scrollToMark() {
    const { pane } = this;
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

  #judge({ held, words, checks }) {
    this.verdict.replaceChildren(element("strong", { class: held === null ? null : held ? "good" : "bad" }, words));
    const items = checks.map(({ claim, holds }) => element("li", `${holds ? "✓" : "✗"} ${claim}`));
    if (items.length > 0) this.verdict.append(element("ul", ...items));
    else if (!canHash() && held !== null) this.verdict.append(element("p", `${NO_HASHING}, so the service was asked.`));
    this.#scrollToMark();
  }
}

function facts(source) {
  const range = (start, end) => (Number.isInteger(start) && Number.isInteger(end) ? `${start}–${end}` : null);
  return definitions([
    ["Characters", isolated(range(source.start, source.end))],
    ["Short answer", isolated(range(source.highlight?.start, source.highlight?.end))],
    ["Bytes", isolated(range(source.byte_start, source.byte_end))],
    ["Quote SHA-256", isolated(source.quote_sha256)],
    ["Revision", isolated(source.revision)],
    ["Document", isolated(source.document_id)],
  ]);
}
