// The conversations that this browser keeps: bounded, versioned, and none at all where the browser keeps nothing.

const PREFIX = "citespan/1/";
const MOST = 50;
const MOST_TURNS = 50;
const LONGEST = 2_000_000;

/**
 * Conversations by id: {id, title, server, changed, turns}, with turns of {question, reply}. `title` is null until the
 * user gives one; `server` is the service's id of it, or null; `changed` is in milliseconds since 1970; a reply is null
 * as long as there is none.
 */
export class Kept {
  constructor(storage = storageOf()) {
    /** Whether they outlive this page. */
    this.lasting = storage !== null;
    this.storage = storage ?? new Memory();
  }

  /** Return all conversations, the one changed last first. What is damaged is let go. */
  all() {
    const keys = Array.from({ length: this.storage.length }, (_, at) => this.storage.key(at));
    const ids = keys.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return ids.map((id) => this.get(id)).filter(Boolean).sort((one, other) => other.changed - one.changed);
  }

  get(id) {
    const conversation = parsed(this.storage.getItem(PREFIX + id), id);
    if (conversation === null) this.remove(id);
    return conversation;
  }

  /** Keep a conversation; those unchanged for longest make way for it. */
  put(conversation) {
    const text = JSON.stringify({ ...conversation, turns: conversation.turns.slice(-MOST_TURNS) });
    const others = this.all().filter(({ id }) => id !== conversation.id);
    while (others.length >= MOST || (others.length > 0 && this.#length(others) + text.length > LONGEST)) {
      this.remove(others.pop().id);
    }
    for (;;) {
      try {
        this.storage.setItem(PREFIX + conversation.id, text);
        return;
      } catch {
        if (others.length > 0) this.remove(others.pop().id);
        else {
          this.lasting = false;
          this.storage = new Memory();
        }
      }
    }
  }

  remove(id) {
    this.storage.removeItem(PREFIX + id);
  }


  #length(conversations) {
    return conversations.reduce((sum, { id }) => sum + this.storage.getItem(PREFIX + id).length, 0);
  }
}

/** Return the title of a conversation: the user's, or what was asked first. */
export function named(conversation) {
  return conversation.title ?? conversation.turns[0]?.question ?? "Empty conversation";
}

function parsed(text, id) {
  try {
    const found = JSON.parse(text);
    const whole =
      found.id === id && Number.isFinite(found.changed) && orNull(found.title) && orNull(found.server) &&
      found.turns.length > 0 && found.turns.every(isTurn);
    return whole ? found : null;
  } catch {
    return null;
  }
}

function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function orNull(value) {
  return value === null || typeof value === "string";
}

function isTurn(turn) {
  return isRecord(turn) && typeof turn.question === "string" && (turn.reply === null || isReply(turn.reply));
}

/** Return whether this looks like a reply of the service (or says that it was purged). */
export function isReply(reply) {
  const lists = ["citations", "nearest", "sides"].map((name) => reply?.[name] ?? []);
  return isRecord(reply) && lists.every((list) => Array.isArray(list) && list.every(isRecord));
}

/** Return the browser's storage, null where it has none for us: in some private windows to touch it is an error. */
function storageOf() {
  try {
    const probe = `${PREFIX}probe`;
    localStorage.setItem(probe, "");
    localStorage.removeItem(probe);
    return localStorage;
  } catch {
    return null;
  }
}

/** What works like the browser's storage, as long as the page is open. */
class Memory extends Map {
  get length() {
    return this.size;
  }

  key(at) {
    return [...this.keys()][at];
  }

  getItem(key) {
    return this.get(key) ?? null;
  }

  setItem(key, value) {
    this.set(key, value);
  }

  removeItem(key) {
    this.delete(key);
  }
}
