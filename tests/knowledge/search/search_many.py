"""Run in a site's environment: reads queries as JSON, prints what each finds as JSON."""

import json
import sys

import django

django.setup()

from knowledge.search import entry_search  # noqa: E402 - needs the apps


def answer(text: str, *, counted: bool) -> dict[str, object]:
    results = entry_search(text, counted=counted)
    return {
        "text": text,
        "total": results.total,
        "hits": [[str(hit.entry.pk), hit.score, hit.snippet_html] for hit in results.hits],
        "facets": [[one.value, one.count] for one in (*results.facets.category, *results.facets.tag)],
    }


def main() -> None:
    found = []
    for text in json.load(sys.stdin):
        plain = answer(text, counted=False)
        found.append(plain | {"counted_alike": answer(text, counted=True) == plain})
    json.dump(found, sys.stdout)


main()
