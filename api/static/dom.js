// Elements, and the small phrases made of them. Text only ever enters the page as text nodes.

/** Return a new element; attributes that are null, undefined or false are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Return a button that calls `act` with the click event. */
export function button(label, attributes, act) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", act);
  return node;
}

/** Return text from a document, kept apart from the direction of the text around it. */
export function isolated(text) {
  return element("bdi", {}, String(text));
}

/** Return a document's title, or what stands for it. */
export function titleOf(source) {
  return source.title || source.uri || "Untitled document";
}

const LONG_DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** Return a time element; a date that is not a full ISO date is shown as it stands. */
export function dateOf(published) {
  const day = /^\d{4}-\d{2}-\d{2}/.exec(String(published))?.[0];
  const moment = day ? Date.parse(`${day}T00:00:00Z`) : NaN;
  if (Number.isNaN(moment)) return isolated(published);
  return element("time", { datetime: day }, LONG_DATE.format(moment));
}

/** Return a link if the address is http(s), else its text. */
export function addressOf(uri) {
  const text = String(uri);
  const web = /^https?:[/][/]/i.test(text) && URL.canParse(text);
  if (!web) return isolated(text);
  return element("a", { href: text, target: "_blank", rel: "noopener noreferrer nofollow" }, isolated(text));
}

/** Fill a node with the parts that there are, a middle dot between them. */
export function dotted(node, parts) {
  const present = parts.filter((part) => part !== null);
  node.replaceChildren(...present.flatMap((part, index) => (index === 0 ? [part] : ["\u00a0· ", part])));
  return node;
}

/** Return "1 document", "2 documents"; thousands are set apart. */
export function counted(count, noun) {
  return `${Number(count).toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
