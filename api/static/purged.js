// What was purged from the library is not kept in this browser either.

import { expectProblem, verify } from "./service.js";

const MOST = 60;

/** Forget the replies of a conversation that show a purged document; return their turns. */
export async function forgetPurged(conversation) {
  const verdicts = new Map();
  for (const source of conversation.turns.flatMap(({ reply }) => shown(reply))) {
    const name = nameOf(source);
    if (verdicts.has(name)) continue;
    if (verdicts.size === MOST) break;
    try {
      verdicts.set(name, await verify(source));
    } catch (error) {
      expectProblem(error);
      // A source that the service cannot read is not known to be purged; a service that is away is asked next time.
      if (error.status !== 422) break;
      verdicts.set(name, "unknown");
    }
  }
  const isGone = (source) => verdicts.get(nameOf(source)) === "purged";
  const turns = conversation.turns.filter(({ reply }) => shown(reply).some(isGone));
  for (const turn of turns) turn.reply = { purged: true };
  return turns;
}

function shown(reply) {
  return [...(reply?.citations ?? []), ...(reply?.nearest ?? [])];
}

function nameOf(source) {
  return `${source.document_id} ${source.revision}`;
}
