"""Run in a site's environment: reads queries as JSON, prints what each finds as JSON."""

import json
import sys

import django

django.setup()

from knowledge.search import entry_search  # noqa: E402 - needs the apps


def main() -> None:
    found = []
    for text in json.load(sys.stdin):
        results = entry_search(text)
        found.append(
            {
                "text": text,
                "total": results.total,
                "hits": [[str(hit.entry.pk), hit.score, hit.snippet_html] for hit in results.hits],
                "facets": [[one.value, one.count] for one in (*results.facets.category, *results.facets.tag)],
            }
        )
    json.dump(found, sys.stdout)


main()
