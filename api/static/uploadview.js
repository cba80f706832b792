// What is seen of uploads: a panel with a line a file, the buttons, and the veil while files are dragged.

import { announce, byId, counted, disclose, element, focusOn, grouped, isolated, onClick, parts } from "./dom.js";
import { chosen, onDrop, SUFFIXES } from "./drop.js";
import { Uploads } from "./upload.js";

/** The panel at the top of the page. `landed` is called, and waited for, when the library may have changed. */
export class UploadView {
  constructor(landed) {
    Object.assign(this, parts("uploads", "title", "list", "whole", "left", "cancel", "again", "close", "fold"));
    this.root = byId("uploads");
    this.lines = new Map();
    this.told = "";
    this.uploads = new Uploads({ show: (item) => this.#show(item), landed });

    onClick(this.cancel, () => this.uploads.cancel());
    onClick(this.again, () => this.uploads.retry());
    onClick(this.close, () => this.#leave());
    onClick(this.fold, () => disclose(this.fold, this.list, this.list.hidden));
    byId("files").accept = SUFFIXES.join(",");
    for (const name of ["files", "folder"]) {
      const chooser = byId(name);
      onClick(byId(`add-${name}`), () => chooser.click());
      chooser.addEventListener("change", () => {
        const found = chosen(chooser.files);
        // The same file may be chosen again.
        chooser.value = "";
        this.#take(found);
      });
    }
    onDrop(byId("veil"), async (coming) => this.#take(await coming));
    addEventListener("beforeunload", (event) => {
      if (this.uploads.running !== null) event.preventDefault();
    });
  }

  #take(found) {
    if (!this.uploads.busy) this.#clear();
    this.root.hidden = false;
    disclose(this.fold, this.list, true);
    this.left.replaceChildren(element("p", "Left out:"), element("ul", ...found.left.map((text) => element("li", text))));
    this.left.hidden = found.left.length === 0;
    this.uploads.add(found.files);
    this.#total();
  }

  #clear() {
    this.uploads.clear();
    this.lines.clear();
    this.list.replaceChildren();
  }

  #leave() {
    this.#clear();
    this.root.hidden = true;
    this.told = "";
    byId("library-toggle").focus();
  }

  #show(item) {
    if (item !== null) {
      if (!this.lines.has(item)) {
        const { node, update } = lineOf(item);
        this.lines.set(item, update);
        this.list.append(node);
      }
      this.lines.get(item)(item);
    }
    // A thousand files change together: they are counted once.
    this.counting ??= requestAnimationFrame(() => {
      this.counting = null;
      this.#total();
    });
  }

  #total() {
    const { items } = this.uploads;
    // Asked before anything is hidden: what is hidden has lost the focus already.
    const held = this.root.contains(document.activeElement) ? document.activeElement : null;
    const count = (state) => items.filter((item) => item.state === state).length;
    const [done, failed, cancelled] = [count("done"), count("failed"), count("cancelled")];
    const over = done + failed + cancelled === items.length && !this.uploads.busy;
    const parts = [
      `${grouped(done)} of ${counted(items.length, "file")} in the library`,
      failed > 0 && `${grouped(failed)} not taken in`,
      cancelled > 0 && `${grouped(cancelled)} cancelled`,
    ];
    const words = items.length === 0 ? "There is nothing here to add" : parts.filter(Boolean).join(", ");
    this.title.textContent = over ? `${words}.` : `Adding files: ${words}`;
    this.whole.hidden = over;
    this.whole.value = items.reduce((sum, item) => sum + (item.over ? 1 : item.part) / items.length, 0);
    this.cancel.hidden = !items.some((item) => item.open);
    this.again.hidden = !over || !items.some((item) => item.again);
    this.close.hidden = !over;
    this.fold.hidden = items.length < 2;
    // The focus stays in the panel when the button that had it is gone.
    if (held?.hidden) focusOn(this.title);
    this.#announce(over ? `${words}.` : `Adding ${counted(items.length, "file")}.`);
  }

  /** Say what is new, once: neither every byte nor every file. */
  #announce(words) {
    if (words === this.told || (this.told !== "" && words.startsWith("Adding") && this.told.startsWith("Adding"))) return;
    this.told = words;
    announce(words);
  }
}

function lineOf(item) {
  const name = element("span.upload-name", isolated(item.path));
  const bar = element("progress", { max: "1", value: "0", "aria-label": item.path });
  const said = element("span.upload-said");
  const node = element("li", name, bar, said);
  const update = ({ state, part, said: words, over }) => {
    node.className = state;
    bar.hidden = over;
    bar.value = part;
    bar.ariaValueText = words;
    if (said.textContent !== words) said.textContent = words;
  };
  return { node, update };
}
