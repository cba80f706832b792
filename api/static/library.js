// The library: its state in the header, and the list of documents.

import { button, counted, dateOf, dotted, element, isolated, titleOf } from "./dom.js";
import { documents, Problem } from "./service.js";

const PAGE = 12;
const WAIT_MS = [1000, 2000, 4000, 8000, 15000];

/** The status button and the list that it shows. */
export class Library {
  constructor(open) {
    this.open = open;
    this.status = document.querySelector("#library-status");
    this.toggle = document.querySelector("#library-toggle");
    this.section = document.querySelector("#library");
    this.list = document.querySelector("#library-list");
    this.note = document.querySelector("#library-note");
    this.more = document.querySelector("#library-more");
    this.generation = null;
    this.cursor = null;
    this.tries = 0;
    this.toggle.addEventListener("click", () => this.show(this.section.hidden));
    this.more.addEventListener("click", () => this.#extend());
  }

  show(visible) {
    this.section.hidden = !visible;
    this.toggle.setAttribute("aria-expanded", String(visible));
    if (visible) this.section.scrollIntoView({ block: "nearest" });
  }

  /** Read the library anew; try again by itself while the service is not ready. */
  async refresh() {
    try {
      const page = await documents(PAGE);
      this.tries = 0;
      this.list.replaceChildren();
      this.#tell(page);
      this.#add(page);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.status.textContent = error.status === 503 ? "Getting ready…" : "No library";
      this.note.textContent = [error.title, error.detail].filter(Boolean).join(". ");
      const wait = WAIT_MS[Math.min(this.tries, WAIT_MS.length - 1)];
      this.tries += 1;
      if (error.status === 503 || error.status === 0) setTimeout(() => this.refresh(), wait);
    }
  }

  /** Refresh if a reply came from another generation than the one shown. */
  notice(generation) {
    if (Number.isInteger(generation) && generation !== this.generation) this.refresh();
  }

  #tell(page) {
    this.generation = Number.isInteger(page.generation) ? page.generation : null;
    const shown = page.data?.length ?? 0;
    const total = Number.isInteger(page.total) ? counted(page.total, "document") : counted(shown, "document");
    const more = !Number.isInteger(page.total) && page.has_more ? " and more" : "";
    const generation = this.generation === null ? null : element("span", { class: "generation" }, ` · generation ${this.generation}`);
    this.status.replaceChildren(total + more, ...(generation ? [generation] : []));
    this.note.textContent = shown === 0 ? "The library is empty. Add documents with “citespan sync” and a folder." : "";
  }

  #add(page) {
    const rows = page.data ?? [];
    for (const row of rows) this.list.append(this.#row(row));
    const last = rows.at(-1);
    this.cursor = page.next_cursor ?? page.last_id ?? last?.id ?? last?.document_id ?? null;
    this.more.hidden = !(page.has_more && this.cursor !== null);
  }

  async #extend() {
    const before = this.list.children.length;
    try {
      this.#add(await documents(PAGE, this.cursor));
      this.list.children[before]?.querySelector("button")?.focus();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.note.textContent = error.title;
    }
  }

  #row(row) {
    const source = { ...row, document_id: row.document_id ?? row.id };
    const opener = button(isolated(titleOf(source)), { class: "title", "aria-haspopup": "dialog" }, () => {
      this.open([{ source, kind: "document", opener }], 0);
    });
    const facts = dotted(element("p", { class: "meta" }), [
      source.publisher ? isolated(source.publisher) : null,
      source.published_at ? dateOf(source.published_at) : null,
    ]);
    return element("li", {}, opener, facts);
  }
}
