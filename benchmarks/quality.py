"""How often the service is right, silent and wrong on public questions.

usage: python -m benchmarks.quality [--questions N] [--save FILE]

Six sets: the news articles with their questions, the same at a risk of 1 (whatever was found is answered), the same
with the source articles taken out (so nothing can be answered), the articles with questions as people ask them, our own
texts with such questions, and SQuAD 2.0 in the open setting (a sample of N questions; the whole set takes an hour).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from api.settings import Settings
from api.wiring import open_embedder, open_service
from benchmarks.data import news, news_asked, news_without_sources, own_texts, squad_open
from benchmarks.figures import Figures
from benchmarks.run import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1_000, help="how many of SQuAD's 5,732")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    embedder = open_embedder(Settings())
    service = open_service(Settings())
    results = []
    answering = replace(news(), name="news, everything answered")
    sets = [(news(), None), (answering, 1.0), (news_without_sources(), None), (news_asked(), None), (own_texts(), None)]
    for questions, risk in [*sets, (squad_open().sample(arguments.questions), None)]:
        _, figures = run(questions, embedder, service, risk)
        results.append(figures)
        Figures().add_all(figures)
        print()
    if arguments.save is not None:
        arguments.save.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
