// Files as they come in: dropped, alone or in folders, or chosen. What is taken, what is left out, and why.

import { counted, grouped } from "./dom.js";

const MOST_FILES = 1000;
const MOST_LOOKED_AT = 20000;
const DEEPEST = 32;
const LONGEST_NAME = 255;

/** What Citespan reads; also, for gzip, what it reads inside. */
export const SUFFIXES = ".atom .csv .docx .eml .epub .gz .htm .html .json .jsonl .markdown .md .ndjson .pdf .pptx .rss .text .tsv .txt .xhtml .xlsx .xml .zip".split(" ");
const READ = new Set(SUFFIXES);
// Marks that turn the direction of text: with them a name reads as another one. The service drops them too.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const HIDDEN = /(^|\/)(\.[^/]|Thumbs\.db$|desktop\.ini$)/i;
const UNPRINTED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Return the name that a file is sent under: a plain relative path, as the service will write it. */
export function sentName(path) {
  const text = path.normalize("NFC").replace(TURNING, "").replaceAll("\\", "/").replace(UNPRINTED, "").replaceAll('"', "'");
  const parts = text.trim().replace(/^[a-z]:/i, "").split("/").map((part) => part.trim());
  return parts.filter((part) => part !== "" && part !== "." && part !== "..").join("/");
}

/** Return the last suffix of a name with its dot, in lower case; empty for none. */
function suffixOf(name) {
  return /[^/.](\.[^/.]+)$/.exec(name)?.[1].toLowerCase() ?? "";
}

/** Return why a file of this name is not sent, null if it is. */
export function refusal(name) {
  if (name === "") return "it has no name";
  if (new TextEncoder().encode(name).length > LONGEST_NAME) return `its name is over ${LONGEST_NAME} bytes`;
  const packed = suffixOf(name) === ".gz";
  const suffix = suffixOf(packed ? name.slice(0, -3) : name);
  // A zip in gzip is not read.
  if (packed && (suffix === ".zip" || suffix === ".gz" || !READ.has(suffix))) return "of .gz files Citespan reads those such as .txt.gz";
  if (suffix === "") return "its name has no suffix that says what it is, such as .txt";
  return READ.has(suffix) ? null : `Citespan does not read ${suffix} files`;
}

/** What was found: {file, path} each, and phrases for what was left out. */
class Found {
  constructor() {
    this.files = [];
    this.looked = 0;
    this.counts = new Map();
  }

  /** Take a file. One of a folder that is hidden or of a kind that is not read is only counted. */
  take(file, path, within) {
    if (within && HIDDEN.test(path)) this.leave("hidden");
    else if (within && refusal(sentName(path)) !== null) this.leave("unread");
    else if (this.files.length >= MOST_FILES) this.leave("beyond");
    else this.files.push({ file, path });
  }

  leave(why) {
    this.counts.set(why, (this.counts.get(why) ?? 0) + 1);
  }

  get on() {
    return this.looked < MOST_LOOKED_AT;
  }

  get left() {
    const says = {
      hidden: (count) => counted(count, "hidden file"),
      unread: (count) => `${counted(count, "file")} of kinds that Citespan does not read`,
      beyond: (count) => `${counted(count, "file")}: ${grouped(MOST_FILES)} are added at a time`,
      deep: (count) => `${counted(count, "folder")} more than ${DEEPEST} folders deep`,
      broken: (count) => `${counted(count, "file or folder")} that could not be read`,
    };
    const phrases = [...this.counts].map(([why, count]) => says[why](count));
    return this.on ? phrases : [...phrases, `everything after the first ${grouped(MOST_LOOKED_AT)} files and folders`];
  }
}

/** Return what was chosen with a file button: the files alone, or with their paths in the folder. */
export function chosen(files) {
  const found = new Found();
  for (const file of files) {
    found.looked += 1;
    if (!found.on) break;
    const path = file.webkitRelativePath;
    found.take(file, path === "" ? file.name : path, path !== "");
  }
  return found;
}

/** Return what was dropped, folders read through. To be called while the event is handled: then its items are gone. */
async function dropped(transfer) {
  const found = new Found();
  const begun = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  for (const { entry, file } of begun) {
    if (entry !== null) await walk(entry, found);
    else if (file !== null) found.take(file, file.name, false);
  }
  return found;
}

/** Read an entry and all below it, breadth first, within the bounds. */
async function walk(root, found) {
  const waiting = [{ entry: root, depth: 0 }];
  for (let place = 0; place < waiting.length && found.on; place += 1) {
    const { entry, depth } = waiting[place];
    found.looked += 1;
    try {
      if (entry.isFile) {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        found.take(file, entry.fullPath.replace(/^\//, ""), depth > 0);
      } else if (depth >= DEEPEST) {
        found.leave("deep");
      } else {
        for (const inner of await inside(entry, found)) waiting.push({ entry: inner, depth: depth + 1 });
      }
    } catch {
      found.leave("broken");
    }
  }
}

async function inside(folder, found) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    // A folder is given in pieces, the last of them empty.
    const piece = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (piece.length === 0) return all.sort((one, other) => (one.name < other.name ? -1 : 1));
    all.push(...piece);
    if (all.length + found.looked > MOST_LOOKED_AT) return all;
  }
}

/** Call `take` with what is dropped anywhere on the page; the veil is shown while files are dragged over it. */
export function onDrop(veil, take) {
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let hide = null;
  const show = (visible) => {
    clearTimeout(hide);
    veil.hidden = !visible;
    // A drag that ends outside of the window tells nobody.
    if (visible) hide = setTimeout(() => (veil.hidden = true), 1500);
  };
  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) show(false);
  });
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    show(false);
    take(dropped(event.dataTransfer));
  });
}
