"""Orders of results other than the best first: by a fact of the entry, the same on every database."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from knowledge.search.rows import numbers, rows


class SearchOrder(TextChoices):
    """The orders that results have; beyond the counted ones, the least used are left out of all but BEST."""

    BEST = "best", _("Best match")
    RECENT = "recent", _("Recently changed")
    USED = "used", _("Most used")
    WORKED = "worked", _("Worked most often")


#: Two imagined failures, as in lists: one vote is no proof.
_COLUMNS = {
    SearchOrder.RECENT: "e.updated_at DESC",
    SearchOrder.USED: "e.usage_count DESC",
    SearchOrder.WORKED: "e.success_count * 1.0 / (e.success_count + e.failure_count + 2) DESC, e.success_count DESC",
}


def ranks_sorted(found: Sequence[int], order: SearchOrder, *, first: int, size: int) -> list[int]:
    """One page of these rows in this order, equal ones by static rank."""
    if not found:
        return []
    sql = (
        f"SELECT d.rank FROM kb_search_docs d JOIN kb_entries e ON e.id = d.entry_id WHERE d.rank IN ({numbers(found)})"
    )
    return [row[0] for row in rows(f"{sql} ORDER BY {_COLUMNS[order]}, d.rank LIMIT {size:d} OFFSET {first:d}")]
