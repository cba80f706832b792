"""A Slack slash command that answers from your documents. How to run it: docs/bots.md."""

import hmac
import json
import os
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, active_count
from urllib import parse, request

from api.client import CallFailed, Citespan
from api.plain import plain_text

SECRET = os.environ["SLACK_SIGNING_SECRET"].encode()
HOOKS = os.environ.get("SLACK_HOOKS", "https://hooks.slack.com/")
citespan = Citespan(os.environ.get("CITESPAN_URL", "http://127.0.0.1:8000"))


def signed(sent: str, shown: str, body: bytes) -> bool:
    """Return whether Slack sent exactly this, within the last five minutes."""
    if not (sent.isascii() and sent.isdigit() and len(sent) < 12) or abs(time.time() - int(sent)) > 300:
        return False
    expected = "v0=" + hmac.digest(SECRET, f"v0:{sent}:".encode() + body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), shown.encode("utf-8", "replace"))


def answer(question: str, url: str) -> None:
    """Post what the sources say. It is escaped: no document can name a member or hide a link."""
    try:
        text = plain_text(citespan.ask(question))
    except CallFailed as error:
        text = f"That did not work: {error.detail}"
    told = json.dumps({"response_type": "ephemeral", "mrkdwn": False, "text": escape(text, quote=False)})
    request.urlopen(request.Request(url, told.encode(), {"Content-Type": "application/json"}), timeout=10).close()


class Command(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and len(length) < 6 else b""
        form = dict(parse.parse_qsl(body.decode("utf-8", "replace")))
        sent, shown = (self.headers.get(f"X-Slack-{name}", "") for name in ("Request-Timestamp", "Signature"))
        known = signed(sent, shown, body) and form.get("response_url", "").startswith(HOOKS)
        if taken := known and "text" in form and active_count() < 20:
            Thread(target=answer, args=(form["text"], form["response_url"]), daemon=True).start()
        said = "Looking …" if taken else "Write a question after the command; if you did, try again in a moment."
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"response_type": "ephemeral", "text": said}).encode())


listening = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Command)
print(f"listening on http://127.0.0.1:{listening.server_port}", flush=True)
listening.serve_forever()
