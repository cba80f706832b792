// Whether a quote stands where its citation says: checked in this browser, or by the service where it cannot hash.

import { canonicalText, verify as verifyByService } from "./service.js";
import { canHash, check } from "./spans.js";

const STATUS = {
  verified: "Verified by the service.",
  drifted: "The document has changed since it was quoted.",
  purged: "The document was purged from the library.",
  unknown: "The service does not know this citation.",
};

export const NO_HASHING = "This browser hashes only over https or on localhost";

/**
 * Return {held, words, checks}: whether all is as the citation says, in words, and what was checked here one by one.
 * `loaded` is the text of its revision as {bytes, text}, null if it could not be had.
 */
export async function verified(source, loaded) {
  if (loaded !== null && canHash()) {
    const checks = await check(source, loaded.bytes, loaded.text);
    const held = checks.every(({ holds }) => holds);
    return { held, words: held ? "Verified in this browser." : "Does not match.", checks };
  }
  if (source.quote === undefined) {
    return { held: null, words: loaded === null ? "There is no text to check." : `${NO_HASHING}.`, checks: [] };
  }
  const status = await verifyByService(source);
  return { held: status === "verified", words: STATUS[status] ?? STATUS.unknown, checks: [] };
}

/** Return in words whether every quote of a reply stands where its citation says. */
export async function allVerified(citations) {
  const texts = new Map();
  const failed = [];
  for (const source of citations) {
    const key = `${source.document_id} ${source.revision}`;
    if (canHash() && !texts.has(key)) texts.set(key, await canonicalText(source.document_id, source.revision));
    const { held } = await verified(source, texts.get(key) ?? null);
    if (!held) failed.push(`[${source.number}]`);
  }
  if (failed.length > 0) return { held: false, words: `${failed.join(", ")} ${failed.length === 1 ? "does" : "do"} not match.` };
  const where = canHash() ? "in this browser" : `by the service. ${NO_HASHING}`;
  const all = citations.length === 1 ? "The quote is" : `All ${citations.length} quotes are`;
  return { held: true, words: `${all} verified ${where}.` };
}
