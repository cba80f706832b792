"""A nightly job: syncs folders, asks its questions, tells whose answers changed. How to run it: docs/bots.md."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from api.client import CallFailed, Citespan
from api.plain import plain_text

CITESPAN = os.environ.get("NIGHTLY_CITESPAN", str(Path(sys.executable).with_name("citespan")))
FOLDERS = os.environ["NIGHTLY_FOLDERS"].split(os.pathsep)
QUESTIONS = Path(os.environ["NIGHTLY_QUESTIONS"]).read_text(encoding="utf-8").splitlines()
KEPT = Path(os.environ["NIGHTLY_ANSWERS"])
SAME, FAILED, CHANGED = 0, 1, 3


def synced() -> int | None:
    """Bring the library in step; return its new generation, None if nothing changed."""
    done = subprocess.run([CITESPAN, "sync", "--json", *FOLDERS], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"the sync failed: {done.stdout.strip()}")
        sys.exit(FAILED)
    report = json.loads(done.stdout)
    for one in report["failed"]:
        print("not read: " + "".join(c if c.isprintable() else " " for c in f"{one['name']}: {one['reason']}"))
    return int(report["generation"]) if report["generation"] is not None else None


def main() -> int:
    made, before = synced(), json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    now, status = {}, SAME
    with Citespan(os.environ.get("CITESPAN_URL", "http://127.0.0.1:8000")) as citespan:
        try:
            for _ in range(60):  # the server takes it up by itself
                if made is None or citespan.generations(limit=1).current >= made:
                    break
                time.sleep(1)
            else:
                sys.exit("the server does not take up what was synced; is it another library's?")
            for question in filter(None, map(str.strip, QUESTIONS)):
                reply = citespan.ask(question)
                now[question] = plain_text(reply) if reply.answerable else "The sources do not say."
        except CallFailed as error:
            print(f"stopped, yesterday's answers are kept: {error}")
            return FAILED
    for question in now:
        if question in before and before[question] != now[question]:
            print(f"{question}\n\nbefore:\n{before[question]}\n\nnow:\n{now[question]}\n\n")
            status = CHANGED
    draft = KEPT.with_name(KEPT.name + ".new")
    draft.write_text(json.dumps(now, ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(KEPT)
    return status


sys.exit(main())
