// One question on the page, with what became of it: the wait, the reply, or what went wrong.

import { button, element, sentence } from "./dom.js";
import { replyElements } from "./reply.js";
import { Problem } from "./service.js";

/** A turn of the conversation. `acts`: {open, again, anew, edit}, what its buttons do. */
export class TurnView {
  constructor(turn, number, acts) {
    this.turn = turn;
    this.acts = acts;
    this.body = element("div.reply");
    const heading = element("h2", { id: `turn-${number}`, class: "question", dir: "auto" }, turn.question);
    this.node = element("article.turn", { "aria-labelledby": heading.id }, heading, this.body);
  }

  /** The generation that the reply is from, 0 if there is none. */
  get generation() {
    return this.turn.reply?.generation ?? 0;
  }

  /** Show what stands here until the reply does. It is read out when it is whole. */
  wait(nodes) {
    this.body.ariaBusy = "true";
    this.body.replaceChildren(...nodes);
    this.reveal();
  }

  tell() {
    const { question, reply } = this.turn;
    if (reply === null) this.#none("This question was not answered.");
    else if (reply.purged) this.#none("A document that this reply quoted was purged. The reply is not kept.");
    else this.#put(...this.#reply(reply, question));
  }

  fail(error) {
    if (error.name === "AbortError") this.#none("Stopped.");
    else this.#put(problemElement(error), this.#retry());
  }

  #none(why) {
    this.#put(element("p.note", why), this.#retry());
  }

  outdate(latest) {
    if (this.generation === 0 || this.generation >= latest || this.body.querySelector(".outdated")) return;
    const again = button("secondary", "Ask again", () => this.acts.anew(this.turn.question));
    const words = `The library has changed since: this is from generation ${this.generation}, it is now at ${latest}.`;
    this.body.append(element("p.foot.outdated", element("span", words), again));
  }

  /** Bring the question to the top; without `insist` only if it is in sight: who scrolled away reads something else. */
  reveal({ insist = true } = {}) {
    const { top } = this.node.getBoundingClientRect();
    if (insist || (top >= 0 && top < innerHeight)) this.node.scrollIntoView({ block: "start" });
  }

  #put(...nodes) {
    this.body.replaceChildren(...nodes);
    this.body.ariaBusy = null;
  }

  /** What was kept may be damaged in ways that show only here. */
  #reply(reply, question) {
    try {
      return replyElements(reply, question, this.acts.open);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      return [problemElement(error), this.#retry()];
    }
  }

  #retry() {
    const again = button("secondary", "Ask again", () => this.acts.again(this));
    const edit = button("quiet", "Edit the question", () => this.acts.edit(this.turn.question));
    return element("p.foot", again, edit);
  }
}

function problemElement(error) {
  const told = error instanceof Problem;
  const problem = told ? error : new Problem(0, "The reply cannot be shown", "It is not what this page understands.");
  const errors = problem.errors.map((text) => element("li", text));
  return element(
    "div.problem",
    element("p.problem-title", problem.title),
    problem.detail && element("p", sentence(problem.detail)),
    errors.length > 0 && element("ul", ...errors),
  );
}
