// The list of the conversations that this browser keeps: open, rename, delete.

import { confirmed } from "./confirm.js";
import { button, byId, counted, dotted, element, isolated, momentOf, onClick, parts } from "./dom.js";
import { named } from "./kept.js";
import { forget } from "./service.js";

const LONGEST_TITLE = 200;

export function addressOfConversation(id) {
  return `#c=${id}`;
}

/** The list beside the page. `current()` is the id of the conversation shown; `renamed` and `gone` are told of changes. */
export class Drawer {
  constructor(kept, { current, fresh, renamed, gone }) {
    Object.assign(this, { kept, current, renamed, gone }, parts("conversations", "list", "note", "clear", "new", "close"));
    this.root = byId("conversations");
    onClick(byId("conversations-toggle"), () => this.open());
    onClick(this.close, () => this.root.close());
    onClick(this.new, () => {
      this.root.close();
      fresh();
    });
    onClick(this.clear, () => {
      const all = this.kept.all();
      this.#delete(all, "Delete all", counted(all.length, "conversation"));
    });
    onClick(this.root, (event) => {
      if (event.target === this.root) this.root.close();
    });
  }

  open() {
    this.#fill();
    this.root.showModal();
  }

  #fill() {
    const conversations = this.kept.all();
    this.list.replaceChildren(...conversations.map((conversation) => this.#row(conversation)));
    this.clear.hidden = conversations.length === 0;
    const where = this.kept.lasting
      ? "Kept in this browser only; the service forgets them a day after the last question."
      : "This browser keeps nothing: these last until the page is closed.";
    this.note.textContent = conversations.length === 0 ? "No conversations yet. They will be listed here." : where;
  }

  #row(conversation) {
    const address = addressOfConversation(conversation.id);
    const here = conversation.id === this.current() ? "page" : null;
    const name = named(conversation);
    const opener = element("a.title", { href: address, "aria-current": here }, isolated(name));
    onClick(opener, () => this.root.close());
    const changed = momentOf(new Date(conversation.changed).toISOString());
    const facts = dotted(element("p.meta"), counted(conversation.turns.length, "question"), changed);
    const rename = button("quiet", "Rename", () => this.#rename(conversation, row));
    const remove = button("quiet", "Delete", () => this.#delete([conversation], "Delete", "“", isolated(name), "”"));
    for (const act of [rename, remove]) act.append(element("span.unseen", ` “${name}”`));
    const row = element("li", opener, facts, element("div.acts", rename, remove));
    return row;
  }

  #rename(conversation, row) {
    const box = element("input.field", { maxlength: LONGEST_TITLE, dir: "auto", "aria-label": "Title of the conversation" });
    box.value = named(conversation).slice(0, LONGEST_TITLE);
    const back = () => {
      this.#fill();
      this.list.querySelector(`a[href="${addressOfConversation(conversation.id)}"]`)?.focus();
    };
    const form = element("form.rename", box, element("button.secondary", "Save"), button("quiet", "Cancel", back));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const title = box.value.trim() || null;
      const now = this.kept.get(conversation.id);
      if (now !== null) this.kept.put({ ...now, title });
      this.renamed(conversation.id, title);
      back();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      // It leaves the title as it was, and the list open.
      event.preventDefault();
      back();
    });
    row.replaceChildren(form);
    box.select();
  }

  async #delete(conversations, verb, ...named) {
    const points = ["Deleted from this browser, and forgotten by the service."];
    if (!(await confirmed({ title: ["Delete ", ...named, "?"], points, verb }))) return;
    for (const { id, server } of conversations) {
      this.kept.remove(id);
      if (server !== null) forget(server);
    }
    this.gone(conversations.map(({ id }) => id));
    this.#fill();
    (this.list.querySelector("a") ?? this.new).focus();
  }
}
