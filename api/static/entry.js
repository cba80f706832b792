// One document in the library's list: a line, and on demand all that is known of it, its revisions, its deletion.

import { noted, whenSure } from "./confirm.js";
import {
  addressOf, alarm, button, counted, dateOf, definitions, disclose, dotted, element, grouped, isolated, isWeb, momentOf, titled,
} from "./dom.js";
import { remove, revisions } from "./upkeep.js";

const KINDS = new Map([
  [/^pdf$/, "PDF"], [/^x?html?$/, "Web page"], [/^docx$/, "Word"], [/^xlsx$/, "Spreadsheet"], [/^[ct]sv$/, "Table"],
  [/^pptx$/, "Slides"], [/^(md|markdown)$/, "Markdown"], [/^te?xt$/, "Text"], [/^(json|jsonl|ndjson)$/, "Records"],
  [/^eml$/, "E-mail"], [/^epub$/, "Book"], [/^(rss|atom)$/, "Feed"], [/^xml$/, "XML"],
]);
let number = 0;

/** Return what kind of document its address speaks of, null where that does not say. */
function kindOf(uri) {
  const web = isWeb(uri);
  const path = web ? new URL(uri).pathname : String(uri ?? "");
  const suffix = /\.([a-z0-9]{1,8})$/i.exec(path)?.[1].toLowerCase();
  const known = [...KINDS].find(([pattern]) => pattern.test(suffix));
  return known?.[1] ?? (web ? "Web page" : null);
}

/**
 * Return the list item of a document. `copies` is how many others are copies of it; `open` opens the source panel,
 * `gone` is called when it was deleted, `expanded` when its details are shown or hidden.
 */
export function entryOf(row, copies, { open, gone, expanded }) {
  number += 1;
  const source = { ...row, document_id: row.document_id ?? row.id };
  const opener = documentButton("title", titled(source), source, open);
  const more = element("div.more", { id: `entry-${number}`, hidden: true });
  const act = () => {
    show(more.hidden);
    expanded(source.document_id, !more.hidden);
  };
  const toggle = button("quiet", "Details", act, { "aria-expanded": "false", "aria-controls": more.id });
  toggle.append(element("span.unseen", " of ", titled(source)));
  const facts = dotted(
    element("p.meta"),
    isolated(source.publisher),
    dateOf(source.published_at),
    [kindOf(source.uri), counted(source.pages, "page")].filter(Boolean).join(", "),
    counted(source.passages, "passage"),
    copies > 0 && element("span.copies", copies === 1 ? "1 copy" : `${grouped(copies)} copies`),
  );
  const show = (visible) => {
    disclose(toggle, more, visible);
    if (visible && more.childElementCount === 0) more.append(...details(source, copies, { open, gone }));
  };
  const item = element("li.entry", { "data-id": source.document_id }, opener, toggle, facts, more);
  return { item, show };
}

function documentButton(kind, label, source, open) {
  const opener = button(kind, label, () => open([{ source, kind: "document", opener }], 0), { "aria-haspopup": "dialog" });
  return opener;
}

function details(source, copies, { open, gone }) {
  const known = definitions([
    ["Address", addressOf(source.uri)],
    ["Author", isolated(source.author)],
    ["Language", isolated(source.language)],
    ["Tags", isolated(source.tags?.join(", "))],
    ["Length", counted(source.characters, "character")],
    ["Copies", copies > 0 && `${counted(copies, "other document")} with nearly the same text; together they count as one source`],
    ["Here since", Number.isInteger(source.added_in_generation) && `generation ${source.added_in_generation}`],
  ]);
  const wrong = alarm();
  const past = element("div.past", { "aria-busy": "true" }, element("p.note", "Looking for earlier revisions…"));
  fill(past, source, open);
  const act = (purge) => () => deletion(source, purge, { gone, wrong });
  const actions = element("p.acts", button("secondary", "Delete…", act(false)), button("secondary grave", "Purge…", act(true)));
  return [element("dl.facts", ...known), past, actions, wrong];
}

async function fill(past, source, open) {
  try {
    const found = await revisions(source.document_id);
    const items = (found.data ?? []).map((one) => revisionOf(one, source, open));
    past.replaceChildren(element("h3", counted(items.length, "revision")), element("ol", ...items));
    if (found.has_more) past.append(element("p.note", "Older revisions are not listed."));
  } catch (error) {
    past.replaceChildren(noted(error, "The revisions could not be listed."));
  }
  past.ariaBusy = null;
}

function revisionOf(one, source, open) {
  const now = one.removed_in_generation === null;
  const last = one.removed_in_generation - 1;
  const until = now ? " until now" : last === one.added_in_generation ? "" : ` to ${last}`;
  const as = { ...source, revision: one.revision, title: one.title, published_at: one.published_at };
  const read = documentButton("quiet", now ? "Read" : "Read as it was", as, open);
  const what = dotted(element("span.meta"), momentOf(one.added_at), `generation ${one.added_in_generation}${until}`, counted(one.characters, "character"));
  return element("li", { "aria-current": now && "true" }, what, read);
}

function deletion(source, purge, { gone, wrong }) {
  const question = purge
    ? {
        title: ["Purge “", titled(source), "” for ever?"],
        points: [
          "Its text, title and vectors are overwritten, here and in every earlier generation.",
          "Earlier generations that held it can no longer be asked or gone back to.",
          "Conversations on the service that quote it are forgotten.",
          "Nothing brings it back but adding it again.",
        ],
        verb: "Purge for ever",
        grave: true,
      }
    : {
        title: ["Delete “", titled(source), "”?"],
        points: [
          "No question is answered from it from now on.",
          "Its text stays in earlier generations: going back to one of them brings it back.",
          "A sync of its folder leaves it out.",
        ],
        verb: "Delete",
      };
  return whenSure(question, wrong, `It was not ${purge ? "purged" : "deleted"}.`, async () => {
    await remove(source.document_id, purge);
    await gone(source, purge);
  });
}
