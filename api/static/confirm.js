// The two dialogs: "are you sure", and a key of the library.

import { byId, element, focusOn, onClick } from "./dom.js";
import { askForKey, expectProblem, showKey } from "./service.js";

const sure = byId("sure");
const gate = byId("key");
const PLAIN = /^[\x21-\x7e]+$/;
let asking = null;

for (const dialog of [sure, gate]) {
  // Escape closes the dialog, and not also the panel behind it.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  onClick(dialog.querySelector("[data-act=cancel]"), () => dialog.close("cancel"));
}

/** Open a dialog; return whether it was agreed to, and give the focus back. */
function agreed(dialog) {
  const opener = document.activeElement;
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      focusOn(opener);
      resolve(dialog.returnValue === "go");
    };
  });
}

/** Return whether the reader agrees; `points` say what will have happened then, `grave` that nothing brings it back. */
export function confirmed({ title, points, verb, grave = false }) {
  sure.querySelector("h2").replaceChildren(...title);
  sure.querySelector("ul").replaceChildren(...points.map((text) => element("li", text)));
  const act = sure.querySelector("[data-act=go]");
  act.textContent = verb;
  act.classList.toggle("grave", grave);
  act.onclick = () => sure.close("go");
  return agreed(sure);
}

askForKey((refused) => (asking ??= keyAsked(refused).finally(() => (asking = null))));

async function keyAsked(refused) {
  const box = byId("key-value");
  const say = (text) => {
    byId("key-wrong").textContent = text;
    byId("key-wrong").hidden = text === "";
    box.ariaInvalid = text !== "";
  };
  box.value = "";
  say(refused ? "The service did not accept this key." : "");
  gate.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    if (PLAIN.test(box.value.trim())) gate.close("go");
    else say("A key has letters, digits and signs, and no spaces.");
  };
  const done = await agreed(gate);
  const value = box.value.trim();
  // What was typed stays nowhere else.
  box.value = "";
  if (done) showKey(value, byId("key-keep").checked);
  else if (refused) showKey(null);
  return done;
}

/** Ask, and if the reader agrees do it; what goes wrong is told in the element `wrong`. */
export async function whenSure(question, wrong, failed, act) {
  if (!(await confirmed(question))) return;
  wrong.hidden = true;
  try {
    await act();
  } catch (error) {
    wrong.replaceChildren(noted(error, failed));
    wrong.hidden = false;
  }
}

/** Return a note of a problem of the service, after the words `failed`; another error is raised again. */
export function noted(error, failed) {
  expectProblem(error);
  return element("p.note", `${failed} ${error.words}`);
}
