// The generations of the library: what each changed, and the way back to it.

import { noted, whenSure } from "./confirm.js";
import { alarm, button, byId, capitalised, counted, disclose, dotted, element, focusOn, grouped, momentOf, onClick, titled } from "./dom.js";
import { difference, generations, goBack } from "./upkeep.js";

const FIRST = 20;
const MOST = 1000;
// A longer list of titles tells nobody anything, and takes long to come.
const NAMED = 500;
const KINDS = ["added", "changed", "removed"];
const NOTHING = "nothing changed";

/** Return what a generation changed, as a phrase. */
function changesOf({ changes }) {
  if (changes?.rolled_back_to > 0) return `went back to generation ${changes.rolled_back_to}`;
  if (changes?.kept_aside > 0) return `put generation ${changes.kept_aside} aside`;
  if (changes?.reembedded > 0) return "new vectors";
  const told = KINDS.filter((kind) => changes?.[kind] > 0).map((kind) => `${grouped(changes[kind])} ${kind}`);
  if (changes?.purged > 0) told.push("purged");
  return told.join(", ") || NOTHING;
}

/** The list under "Generations", read when it is opened. `landed` is called when the library went back. */
export class History {
  constructor(landed) {
    this.landed = landed;
    this.root = byId("history");
    this.list = this.root.querySelector("ol");
    this.note = this.root.querySelector(".note");
    this.older = byId("history-older");
    this.limit = FIRST;
    this.root.addEventListener("toggle", () => this.refresh());
    onClick(this.older, () => {
      this.limit = MOST;
      this.refresh();
    });
  }

  async refresh() {
    if (!this.root.open) return;
    this.list.ariaBusy = true;
    if (this.list.childElementCount === 0) this.note.textContent = "Looking at the generations…";
    try {
      const page = await generations(this.limit);
      const rows = page.data ?? [];
      const before = (place) => rows[place + 1]?.number ?? (rows[place].number === 1 ? 0 : null);
      const held = this.list.contains(document.activeElement);
      this.list.replaceChildren(...rows.map((one, place) => this.#item(one, before(place), page.current)));
      if (held) focusOn(this.root.querySelector("summary"));
      this.note.textContent = rows.length === 0 ? "There is none yet." : "";
      this.older.hidden = !page.has_more || this.limit === MOST;
    } catch (error) {
      this.note.replaceChildren(noted(error, "The generations could not be listed."));
    }
    this.list.ariaBusy = null;
  }

  #item(one, before, current) {
    const now = one.number === current;
    const aside = one.purged > 0 ? `${counted(one.purged, "document")} purged` : !one.active && "kept aside";
    const badge = now ? element("span.badge.now", "questions are put to it") : aside && element("span.badge.plain", aside);
    const name = element("p.generation-name", element("strong", `Generation ${one.number}`), badge && " ", badge);
    const changes = changesOf(one);
    const size = [counted(one.documents, "document"), counted(one.passages, "passage")];
    const facts = dotted(element("p.meta"), momentOf(one.created_at), ...size, changes);
    const titles = element("div.changed", { hidden: true });
    const wrong = alarm();
    const acts = element("p.acts");
    const differing = KINDS.reduce((sum, kind) => sum + (one.changes?.[kind] ?? 0), 0);
    const tellable = differing <= NAMED && one.active && changes !== NOTHING;
    if (before !== null && tellable) acts.append(this.#teller(one.number, before, titles));
    if (!now && one.purged === 0) acts.append(this.#way(one, wrong));
    return element("li", { "aria-current": now && "true" }, name, facts, acts, titles, wrong);
  }

  #teller(number, before, titles) {
    const act = async () => {
      disclose(toggle, titles, titles.hidden);
      if (titles.hidden || titles.childElementCount > 0) return;
      titles.replaceChildren(element("p.note", "Comparing…"));
      titles.replaceChildren(...(await changed(number, before)));
    };
    const toggle = button("quiet", "What changed", act, { "aria-expanded": "false" });
    toggle.append(element("span.unseen", ` in generation ${number}`));
    return toggle;
  }

  #way(one, wrong) {
    const question = {
      title: [`Go back to generation ${one.number}?`],
      points: [
        `A new generation gets the ${counted(one.documents, "document")} of generation ${one.number}, as they were then. Questions are put to it at once.`,
        "Nothing is lost: the generations in between stay, and you can go back to them likewise.",
      ],
      verb: "Go back",
    };
    const act = async () => {
      const made = await goBack(one.number);
      await this.landed(`The library went back to generation ${one.number}. Generation ${made.number} answers now.`);
    };
    const go = () => whenSure(question, wrong, "The library is as it was.", act);
    return button("quiet", `Go back to ${one.number}…`, go);
  }
}

async function changed(number, before) {
  try {
    const found = await difference(before, number);
    const lists = KINDS.filter((kind) => found[kind]?.length > 0).flatMap((kind) => {
      const items = found[kind].map((one) => element("li", titled(one)));
      return [element("h3", capitalised(kind)), element("ul", ...items)];
    });
    return lists.length > 0 ? lists : [element("p.note", "No document differs.")];
  } catch (error) {
    return [noted(error, "It is not known any more.")];
  }
}
