// What is seen of a question while it is answered: what is read, and the quotes as they are found.

import { button, counted, element, isolated } from "./dom.js";
import { quotesElement, understoodElement } from "./reply.js";

const TITLES = 3;

/** What stands in a turn until its reply is there. `told(words)` is for those who do not see it. */
export class Progress {
  constructor(question, { open, stop, told }) {
    Object.assign(this, { question, open, told });
    this.citations = [];
    this.note = element("p.note", "Looking through the documents…");
    this.found = element("div.found");
    this.nodes = [element("div.waiting", this.note, button("quiet", "Stop", stop)), this.found];
  }

  read(retrieval) {
    const hits = Array.isArray(retrieval.hits) ? retrieval.hits : [];
    this.citations = [];
    const titles = [...new Set(hits.map((hit) => hit.attributes?.title || hit.filename || "Untitled document"))];
    if (hits.length === 0) this.note.textContent = "No passage of the library is near…";
    else this.note.replaceChildren(`Reading ${counted(hits.length, "passage")} of `, ...listed(titles), "…");
    this.found.replaceChildren(understoodElement(retrieval, this.question) ?? "");
    this.told(this.note.textContent);
  }

  quote(citation) {
    this.citations.push(citation);
    this.found.querySelector(".quotes")?.remove();
    this.found.append(quotesElement(this.citations, this.open));
  }
}

/** Return the first titles, and how many more there are. */
function listed(titles) {
  const shown = titles.slice(0, TITLES).map((title) => element("q.named", isolated(title)));
  const rest = titles.length - shown.length;
  const parts = rest > 0 ? [...shown, counted(rest, "more document")] : shown;
  return parts.flatMap((part, at) => (at === 0 ? [part] : [at === parts.length - 1 ? " and " : ", ", part]));
}
