// Uploads: files are sent in batches, one after the other, and followed until they are in the library.

import { counted, sentence } from "./dom.js";
import { refusal, sentName } from "./drop.js";
import { expectProblem, Problem, slept, withKey } from "./service.js";
import { alive, isUnderWay, job as jobOf, upload } from "./upkeep.js";

// A batch becomes one job and one generation: few of them, and none that keeps anybody waiting for long.
const BATCH_FILES = 50;
const BATCH_BYTES = 24 * 1024 * 1024;
const WAIT_S = [1, 2, 4, 8, 15];
const LOOK_S = [0.3, 0.5, 1, 2, 3];
const REFUSED = new Set([400, 413, 415, 422]);
const STORED = "stored; waits for its turn";
const WAITING = new Map([[0, "no connection"], [429, "too many uploads wait"]]);

/** Words for a person, where the problem's own are for one who writes programs. */
const WORDS = new Map([
  [401, "The library’s key is needed"],
  [403, "The service does not take files from this page"],
  [413, "It is larger than the service takes"],
  [507, "The service has no space left on its disk; nothing of it was kept"],
]);

/** A file on its way. `state`: waiting, sending, stored, done, failed or cancelled. */
class Item {
  constructor(file, path) {
    this.file = file;
    this.path = path;
    this.name = sentName(path);
    this.reset();
  }

  reset() {
    this.state = "waiting";
    this.said = "waits";
    this.part = 0;
    this.again = false;
  }

  get over() {
    return ["done", "failed", "cancelled"].includes(this.state);
  }

  get open() {
    return this.state === "waiting" || this.state === "sending";
  }
}

/** The queue of this page. `show` is called with an item that changed, `landed` when the library did. */
export class Uploads {
  constructor({ show, landed }) {
    this.show = show;
    this.landed = landed;
    this.items = [];
    this.jobs = 0;
    this.running = null;
  }

  get busy() {
    return this.running !== null || this.jobs > 0;
  }

  add(files) {
    const taken = new Set(this.items.filter((item) => !item.over).map((item) => item.name));
    for (const { file, path } of files) {
      const item = new Item(file, path);
      const why = taken.has(item.name) ? "another file of this name is being added" : refusal(item.name);
      taken.add(item.name);
      this.items.push(item);
      if (why !== null) this.#fail([item], `Not sent: ${why}.`);
      else this.show(item);
    }
    this.#start();
  }

  /** Send again what failed for no fault of its own. */
  retry() {
    for (const item of this.items.filter((one) => one.again)) {
      item.reset();
      this.show(item);
    }
    this.#start();
  }

  /** Send no more. What the service has accepted lands all the same. */
  cancel() {
    this.running?.abort();
    this.#set(this.items.filter((item) => item.open), { state: "cancelled", said: "Cancelled.", part: 0 });
  }

  clear() {
    this.items = this.items.filter((item) => !item.over);
  }

  #set(items, change) {
    for (const item of items) {
      Object.assign(item, change);
      this.show(item);
    }
  }

  #fail(items, said, again = false) {
    this.#set(items, { state: "failed", said, again, part: 0 });
  }

  #start() {
    if (this.running !== null || !this.items.some((item) => item.state === "waiting")) return;
    this.running = new AbortController();
    this.#run(this.running.signal).finally(() => {
      this.running = null;
      this.show(null);
      // What came after a cancellation was not part of it.
      this.#start();
    });
  }

  async #run(signal) {
    while (!signal.aborted) {
      const batch = this.#batch();
      if (batch.length === 0) return;
      try {
        await this.#send(batch, signal);
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
    }
  }

  #batch() {
    const batch = [];
    let bytes = 0;
    for (const item of this.items) {
      if (item.state !== "waiting") continue;
      if (batch.length > 0 && (batch.length === BATCH_FILES || bytes + item.file.size > BATCH_BYTES)) break;
      batch.push(item);
      bytes += item.file.size;
    }
    return batch;
  }

  /** Send a batch until the service takes or refuses it; follow what it took. */
  async #send(batch, signal) {
    if (batch.length === 0) return;
    // `crypto.randomUUID` is missing where the page comes over plain http.
    const key = `page-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    for (let tries = 0; ; tries += 1) {
      this.#set(batch, { state: "sending", said: "is being sent", part: 0 });
      try {
        const job = await withKey(() => upload(batch, key, (bytes) => this.#sent(batch, bytes), signal), "POST");
        this.#set(batch, { state: "stored", said: STORED, part: 0.5 });
        this.#follow(job, batch);
        return;
      } catch (error) {
        expectProblem(error);
        const pause = pauseFor(error, tries);
        const unheard = error.status === 0 && (await alive());
        if (unheard && tries >= 2) return this.#divide(batch, new Problem(413, "", "the connection broke each time, or the file was moved"), signal);
        if (REFUSED.has(error.status) && batch.length > 1) return this.#divide(batch, error, signal);
        if (pause === null) {
          const again = error.status === 401 || error.status >= 500;
          // A key that was refused, or a full disk, is no different for the next file.
          const all = again ? [...batch, ...this.items.filter((item) => item.state === "waiting")] : batch;
          return this.#fail(all, reason(error, batch), again);
        }
        const why = WAITING.get(error.status) ?? "the service is busy";
        this.#set(batch, { said: `${why}; sends again in ${counted(Math.ceil(pause), "second")}`, part: 0 });
        await slept(pause, signal);
      }
    }
  }

  /** Send a refused batch without the file that was named, or else in halves: one bad file stops no other. */
  async #divide(batch, problem, signal) {
    const bad = batch.length === 1 ? batch : batch.filter((item) => problem.detail?.startsWith(`${item.name}: `));
    if (bad.length === 1) {
      this.#fail(bad, reason(problem, bad));
      return this.#send(batch.filter((item) => !bad.includes(item)), signal);
    }
    const half = Math.ceil(batch.length / 2);
    await this.#send(batch.slice(0, half), signal);
    await this.#send(batch.slice(half), signal);
  }

  #sent(batch, bytes) {
    // A form is sent in order, so what is on its way is the first files of it.
    let left = bytes;
    for (const item of batch) {
      const share = item.file.size === 0 ? 1 : Math.min(1, left / item.file.size);
      left = Math.max(0, left - item.file.size);
      item.part = 0.5 * share;
      this.show(item);
    }
  }

  async #follow(job, batch) {
    this.jobs += 1;
    this.show(null);
    let lost = 0;
    for (let looks = 0; isUnderWay(job); looks += 1) {
      await slept(lost > 0 ? WAIT_S[Math.min(lost, 4)] : LOOK_S[Math.min(looks, 4)]);
      try {
        job = await jobOf(job.id);
        lost = 0;
        this.#progress(job, batch);
      } catch (error) {
        expectProblem(error);
        lost += 1;
        if (error.status === 404) job = { status: "lost" };
      }
    }
    this.jobs -= 1;
    if (job.status === "lost") this.#fail(batch, "The service knows nothing of it any more.", true);
    else this.#settle(job, batch);
    await this.landed();
    this.show(null);
  }

  #progress(job, batch) {
    if (!isUnderWay(job)) return;
    const { stage, files, files_total: total } = job.progress ?? {};
    const said = { queued: STORED, read: "is being read" }[stage] ?? "is being taken in";
    const read = total > 0 ? Math.min(1, files / total) : 0;
    this.#set(batch, { said, part: { queued: 0.5, read: 0.5 + 0.3 * read }[stage] ?? 0.85 });
  }

  /** Tell each file what became of it: the job names those that could not be taken in, and parts of archives. */
  #settle(job, batch) {
    const errors = job.errors ?? [];
    for (const item of batch) {
      const its = errors.filter((error) => error.name === item.name);
      const inner = errors.filter((error) => error.name.startsWith(`${item.name}#`));
      const partly = inner.length === 0 ? "" : ` ${counted(inner.length, "part")} of it could not be read: ${inner[0].reason}.`;
      if (its.length > 0) this.#fail([item], its.map((error) => sentence(error.reason)).join(" "));
      else if (job.status === "failed") this.#fail([item], `It was not taken in.${partly}`);
      else this.#set([item], { state: "done", part: 1, said: landing(item, job) + partly });
    }
  }
}

function landing(item, job) {
  if (job.added?.includes(item.name)) return "Added.";
  if (job.changed?.includes(item.name)) return "A new revision.";
  // It may also be in under an address that it names itself.
  return job.generation === null ? "In the library already." : "In the library.";
}

/** Return for how many seconds to wait before the same is sent again; null if that would change nothing. */
function pauseFor(problem, tries) {
  if (![0, 409, 429, 503].includes(problem.status)) return null;
  return problem.retryAfter ?? WAIT_S[Math.min(tries, WAIT_S.length - 1)];
}

/** Return why a batch, or its only file, was not taken in. */
function reason(problem, items) {
  const own = items.length === 1 ? `${items[0].name}: ` : "";
  const detail = problem.detail?.startsWith(own) ? problem.detail.slice(own.length) : problem.detail;
  const known = WORDS.get(problem.status);
  if (problem.status === 413 && detail) return sentence(`${known}: ${detail}`);
  return known ? sentence(known) : REFUSED.has(problem.status) && detail ? sentence(detail) : problem.words;
}
