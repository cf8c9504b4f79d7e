"""A process that makes HTML, codes and tokens of the texts of a file's rows, for knowledge.transfer.ahead.

    python -m knowledge.transfer.ahead_process

It reads two lines of JSON: the file of rows and the fields of its columns, then behind which row to begin. It
answers with pickles: True when it is ready, then for each few rows the place of the last one and what was made.
It asks no database, writes no file and ends with its parent.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import django

#: Rows of an answer.
ANSWER_ROWS = 25


def main() -> None:
    """Do what the two lines say."""
    django.setup()
    from knowledge.transfer.spool import spool_rows

    setup = json.loads(sys.stdin.readline())
    _answer(True)
    start = json.loads(sys.stdin.readline())
    rows = spool_rows(Path(setup["rows"]), place=start["place"], offset=start["offset"])
    while some := list(islice(rows, ANSWER_ROWS)):
        known = texts_made((one.row.values for one in some if not one.row.problem), setup["columns"])
        _answer((some[-1].place, known))


def _answer(facts: object) -> None:
    pickle.dump(facts, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()


def texts_made(rows: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> object:
    """What is made of the titles, problems and solutions of these rows."""
    from knowledge.codes import codes_find
    from knowledge.markdown import markdown_rendered
    from knowledge.remembered import texts_remembered
    from knowledge.search.tokens import tokens_joined
    from knowledge.transfer.drafts import row_texts

    with texts_remembered() as known:
        for values in rows:
            for name, text in row_texts(values, columns).items():
                codes_find(text)
                tokens_joined(text)
                if name != "title":
                    markdown_rendered(text)
        return known


if __name__ == "__main__":
    main()
