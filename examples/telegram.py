"""A Telegram bot that answers from your documents, one conversation a chat. How to run it: docs/bots.md."""

import json
import os
import sys
import time
from typing import Any
from urllib import error, request

from api.client import CallFailed, Citespan
from api.plain import plain_text

API = f"{os.environ.get('TELEGRAM_API', 'https://api.telegram.org')}/bot{os.environ['TELEGRAM_TOKEN']}"
CHATS = os.environ["TELEGRAM_CHATS"].replace(",", " ").split()
citespan = Citespan(os.environ.get("CITESPAN_URL", "http://127.0.0.1:8000"))
conversations: dict[int, str] = {}


def call(method: str, **fields: object) -> Any:
    """Return the result of a call to Telegram. What is sent has no parse_mode: no document's text is ever markup."""
    sent = request.Request(f"{API}/{method}", json.dumps(fields).encode(), {"Content-Type": "application/json"})
    with request.urlopen(sent, timeout=60) as response:
        return json.load(response)["result"]


def answer(chat: int, text: str) -> str:
    """Return what to say in a chat, which goes on from what was said there before."""
    if str(chat) not in CHATS and "*" not in CHATS:
        return f"This bot answers in its own chats only. TELEGRAM_CHATS does not list {chat}."
    if text.startswith("/"):
        conversations.pop(chat, None)
        return "Ask me something about the documents."
    try:
        reply = citespan.ask(text, conversation_id=conversations.get(chat))
    except CallFailed as failed:
        if failed.code == "unknown-conversation" and conversations.pop(chat, ""):
            return answer(chat, text)
        return f"That did not work: {failed.detail}"[:1000]
    conversations[chat] = reply.conversation_id
    return plain_text(reply, 4096)


offset, pause = 0, 1
while True:
    try:
        for update in call("getUpdates", offset=offset, timeout=50, allowed_updates=["message"]):
            offset, message = update["update_id"] + 1, update.get("message", {})
            if message.get("text"):
                chat = message["chat"]["id"]
                said = answer(chat, message["text"].strip())
                call("sendMessage", chat_id=chat, text=said, link_preview_options={"is_disabled": True})
        pause = 1
    except Exception as trouble:  # told by its name only: what it says may hold the token
        if isinstance(trouble, error.HTTPError) and trouble.code in (401, 404):
            sys.exit("Telegram does not know this TELEGRAM_TOKEN")
        print(f"Telegram: {type(trouble).__name__}; again in {pause} s", file=sys.stderr, flush=True)
        time.sleep(pause)
        pause = min(2 * pause, 60)
