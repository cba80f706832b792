// The library: its state in the header, and the view of its documents, generations and uploads under way.

import { announce, byId, counted, disclose, dotted, element, focusOn, grouped, momentOf, onClick, parts, titleOf } from "./dom.js";
import { entryOf } from "./entry.js";
import { History } from "./history.js";
import { expectProblem } from "./service.js";
import { catalogue, generations, isUnderWay, jobs } from "./upkeep.js";
import { UploadView } from "./uploadview.js";

const FIRST = 12;
const MORE = 50;
const MOST = 1000;
const WAIT_MS = [1000, 2000, 4000, 8000, 15000];
const TYPING_MS = 250;
const JOBS_MS = 2000;
const NEWS_MS = 30000;

export class Library {
  constructor(open) {
    Object.assign(this, parts("library", "status", "toggle", "list", "note", "facts", "find", "sort", "more"));
    this.section = byId("library");
    this.history = new History((words) => this.#changed(words));
    this.uploads = new UploadView(() => this.refresh());
    this.generation = null;
    this.cursor = null;
    this.tries = 0;
    this.expanded = new Set();
    this.acts = {
      open,
      gone: (source, purge) => this.#changed(`“${titleOf(source)}” was ${purge ? "purged" : "deleted"}.`),
      expanded: (id, is) => (is ? this.expanded.add(id) : this.expanded.delete(id)),
    };
    const look = () => this.#read(FIRST);
    onClick(this.toggle, () => this.show(this.section.hidden));
    onClick(this.more, () => this.#extend());
    this.sort.addEventListener("change", look);
    document.addEventListener("visibilitychange", () => this.#state());
    let typing = null;
    this.find.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(look, TYPING_MS);
    });
  }

  show(visible) {
    disclose(this.toggle, this.section, visible);
    if (visible) this.section.scrollIntoView({ block: "nearest" });
  }

  /** Read the library anew, as much of it as is shown; try again by itself while the service is not ready. */
  async refresh() {
    clearTimeout(this.again);
    await this.#read(Math.min(Math.max(FIRST, this.list.childElementCount), MOST));
  }

  notice(generation) {
    if (Number.isInteger(generation) && generation !== this.generation) this.refresh();
  }

  async #read(limit) {
    this.reading?.abort();
    const reading = new AbortController();
    this.reading = reading;
    this.list.ariaBusy = true;
    try {
      const page = await catalogue(this.#wanted({ limit }), reading.signal);
      this.tries = 0;
      this.#tell(page);
      this.#put(page);
    } catch (error) {
      if (error.name === "AbortError") return;
      expectProblem(error);
      this.#fail(error);
    }
    this.list.ariaBusy = null;
    this.history.refresh();
    this.#state();
  }

  #wanted(rest) {
    return { words: this.find.value.trim(), sort: this.sort.value, ...rest };
  }

  #fail(error) {
    if (this.generation === null) this.status.textContent = error.status === 503 ? "Getting ready…" : "No library";
    this.note.textContent = error.words;
    const wait = WAIT_MS[Math.min(this.tries, WAIT_MS.length - 1)];
    this.tries += 1;
    if (error.status === 503 || error.status === 0) this.again = setTimeout(() => this.refresh(), wait);
  }

  #tell(page) {
    const found = page.total ?? page.data?.length ?? 0;
    const looked = this.find.value.trim() !== "";
    this.generation = page.generation ?? null;
    // What was looked for says nothing about the size of the library; its generation does, below.
    if (!looked) this.#head(found);
    if (found > 0) this.note.textContent = looked ? `${counted(found, "document")} found.` : "";
    else if (looked) this.note.textContent = "No document has these words in its title, publisher, author or address.";
    else this.note.textContent = "The library is empty. Add documents here, or with “citespan sync” and a folder.";
  }

  #head(documents) {
    this.status.replaceChildren(counted(documents, "document"));
    if (this.generation !== null) this.status.append(element("span.generation", ` · generation ${this.generation}`));
  }

  #put(page) {
    const held = this.list.contains(document.activeElement) ? document.activeElement : null;
    const id = held?.closest("li[data-id]")?.dataset.id;
    this.list.replaceChildren();
    this.#add(page);
    if (held === null) return;
    const item = [...this.list.children].find((one) => one.dataset.id === id);
    const buttons = [...(item ?? this.list).querySelectorAll("button")];
    focusOn(buttons.find((one) => one.className === held.className) ?? buttons[0] ?? this.find);
  }

  #add(page) {
    for (const row of page.data ?? []) {
      const { item, show } = entryOf(row, page.copies?.[row.id] ?? 0, this.acts);
      this.list.append(item);
      if (this.expanded.has(row.id)) show(true);
    }
    this.cursor = page.next_cursor ?? null;
    this.more.hidden = !(page.has_more && this.cursor !== null);
    const left = (page.total ?? 0) - this.list.childElementCount;
    if (!this.more.hidden) this.more.textContent = `Show ${grouped(Math.min(MORE, left))} more of ${grouped(left)}`;
  }

  async #extend() {
    const before = this.list.childElementCount;
    try {
      const page = await catalogue(this.#wanted({ after: this.cursor, limit: MORE }));
      // The pages of two generations do not fit together.
      if (page.generation !== this.generation) return this.refresh();
      this.#add(page);
      this.list.children[before]?.querySelector("button")?.focus();
    } catch (error) {
      expectProblem(error);
      if (error.status === 422) return this.refresh();
      this.note.textContent = error.words;
    }
  }

  /** Tell the state of the library, and look again after a while: others change it too. */
  async #state() {
    this.#lookAgain(NEWS_MS);
    if (document.hidden) return;
    let made, running;
    try {
      [made, running] = await Promise.all([generations(FIRST), jobs(FIRST)]);
    } catch (error) {
      expectProblem(error);
      this.facts.replaceChildren();
      return;
    }
    const now = made.data?.find((one) => one.number === made.current) ?? null;
    const waiting = (running.data ?? []).filter(isUnderWay).length;
    if (now !== null && this.generation === now.number) this.#head(now.documents);
    dotted(
      this.facts,
      counted(now?.documents, "document"),
      counted(now?.passages, "passage"),
      now && `generation ${now.number}`,
      now?.created_at && element("span", "changed ", momentOf(now.created_at)),
      waiting > 0 && `${counted(waiting, "upload")} under way`,
    );
    if (now !== null && this.generation !== null && now.number > this.generation) this.refresh();
    else if (waiting > 0) this.#lookAgain(JOBS_MS);
  }

  #lookAgain(wait) {
    clearTimeout(this.looking);
    this.looking = setTimeout(() => this.#state(), wait);
  }

  async #changed(words) {
    await this.refresh();
    announce(words);
  }
}
