// Elements, and the small phrases made of them. Text only ever enters the page as text nodes.

export function byId(id) {
  return document.getElementById(id);
}

/** Return the elements with the ids `${prefix}-${name}`, by their names. */
export function parts(prefix, ...names) {
  return Object.fromEntries(names.map((name) => [name, byId(`${prefix}-${name}`)]));
}

export function onClick(node, act) {
  node.addEventListener("click", act);
}

/** Give a node the focus where it stands, if there is one. */
export function focusOn(node) {
  node?.focus({ preventScroll: true });
}

/** Say something to those who do not see the page. */
export function announce(words) {
  byId("announcer").textContent = words;
}

/**
 * Return a new element, such as "p" or "p.note.wide", perhaps with attributes. Attributes that are null, undefined or
 * false are left out, and so are children that are nothing. What comes from outside must be a string by then: an object
 * would be taken for attributes.
 */
export function element(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  node.classList.add(...classes);
  const attributes = rest[0]?.constructor === Object ? rest.shift() : {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...rest.filter(Boolean));
  return node;
}

/** Return a button of a kind ("quiet", "secondary" …) that calls `act` with the click event. */
export function button(kind, label, act, attributes = {}) {
  const node = element("button", { type: "button", class: kind, ...attributes }, label);
  onClick(node, act);
  return node;
}

export function alarm() {
  return element("p.problem", { role: "alert", hidden: true });
}

export function disclose(toggle, panel, visible) {
  panel.hidden = !visible;
  toggle.ariaExpanded = visible;
}

// The phrases below are null where there is nothing to tell.

/** Return text from a document, kept apart from the direction of the text around it. */
export function isolated(text) {
  return text ? element("bdi", String(text)) : null;
}

/** Return a document's title, or what stands for it. */
export function titleOf(source) {
  return source.title || source.uri || "Untitled document";
}

export function titled(source) {
  return isolated(titleOf(source));
}

export function pageOf({ page }) {
  return Number.isInteger(page) ? `page ${page}` : null;
}

const DAY = { day: "numeric", month: "long", year: "numeric" };
const LONG_DATE = new Intl.DateTimeFormat("en-GB", { ...DAY, timeZone: "UTC" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { ...DAY, month: "short", hour: "2-digit", minute: "2-digit" });

export function dayOf(published) {
  return /^\d{4}-\d{2}-\d{2}/.exec(String(published))?.[0];
}

/** Return a time element; a date that is not a full ISO date is shown as it stands. */
export function dateOf(published) {
  const day = dayOf(published);
  return timeElement(published, day, `${day}T00:00:00Z`, LONG_DATE);
}

/** Return a time element for a moment, in the reader's own time zone. */
export function momentOf(iso) {
  return timeElement(iso, iso, iso, MOMENT);
}

function timeElement(text, datetime, iso, format) {
  const moment = Date.parse(iso);
  return Number.isNaN(moment) ? isolated(text) : element("time", { datetime }, format.format(moment));
}

export function isWeb(uri) {
  return /^https?:[/][/]/i.test(String(uri)) && URL.canParse(String(uri));
}

/** Return a link if the address is http(s), else its text. */
export function addressOf(uri) {
  if (!isWeb(uri)) return isolated(uri);
  return element("a", { href: uri, target: "_blank", rel: "noopener noreferrer nofollow" }, isolated(uri));
}

/** Fill a node with the parts that there are, a middle dot between them. */
export function dotted(node, ...parts) {
  node.replaceChildren(...parts.filter(Boolean).flatMap((part, at) => (at === 0 ? [part] : ["\u00a0· ", part])));
  return node;
}

/** Return the entries of a definition list for [name, value] pairs that have a value. */
export function definitions(rows) {
  const known = rows.filter(([, value]) => value);
  return known.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
}

export function grouped(count) {
  return Number(count).toLocaleString("en");
}

/** Return "1 document", "2 documents". */
export function counted(count, noun) {
  return Number.isInteger(count) ? `${grouped(count)} ${noun}${count === 1 ? "" : "s"}` : null;
}

export function capitalised(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function sentence(words) {
  return capitalised(words) + (/[.!?…]$/.test(words) ? "" : ".");
}
