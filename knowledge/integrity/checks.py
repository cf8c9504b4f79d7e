"""What the knowledge base asks of its data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.integrity import finding
from knowledge.integrity.duplicates import duplicate_groups, near_pairs
from knowledge.models import Entry
from knowledge.search import index_check
from migrations_ops.integrity.check import Check, Example, Found
from migrations_ops.models import CheckStatus


def entry_example(pk: UUID, title: str, text: str = "") -> Example:
    """An entry with the way to it."""
    return Example(f"{title}: {text}" if text else title, reverse("entry", args=[pk]))


def entries_found(entries: QuerySet[Entry], limit: int) -> Found:
    """So many entries, the first of them as examples."""
    rows = entries.order_by("pk").values_list("pk", "title")[:limit]
    return Found(entries.count(), tuple(entry_example(pk, title) for pk, title in rows))


def labels_found(limit: int) -> Found:
    """Tags and codes that nothing uses."""
    tags, codes = finding.tags_unused(), finding.codes_unused()
    names = [*tags.values_list("name", flat=True)[:limit], *codes.values_list("code", flat=True)[:limit]]
    evidence = _("%(tags)d tag(s), %(codes)d code(s)") % {"tags": tags.count(), "codes": codes.count()}
    return Found(tags.count() + codes.count(), tuple(Example(name) for name in names[:limit]), evidence)


def incomplete_found(limit: int) -> Found:
    """Entries without a field that they need."""
    return entries_found(finding.entries_incomplete(), limit)


def unrendered_found(limit: int) -> Found:
    """Entries whose page would be empty."""
    return entries_found(finding.entries_unrendered(), limit)


def duplicates_found(limit: int) -> Found:
    """Entries that another one says already; the examples lead to the page that merges them."""
    groups = duplicate_groups()
    titles = dict(Entry.objects.filter(pk__in=[group[0] for group in groups[:limit]]).values_list("pk", "title"))
    examples = [
        Example(f"{titles.get(kept, kept)} ({len(rest) + 1} x)", merge_url(kept, rest[0]))
        for kept, *rest in groups[:limit]
    ]
    count = sum(len(group) - 1 for group in groups)
    evidence = _("%(groups)d group(s)") % {"groups": len(groups)}
    return Found(count, tuple(examples), evidence if groups else "")


def near_found(limit: int) -> Found:
    """Pairs of entries that say nearly the same."""
    pairs = near_pairs()
    keys = [key for pair in pairs[:limit] for key in (pair.one, pair.other)]
    titles = dict(Entry.objects.filter(pk__in=keys).values_list("pk", "title"))
    examples = [
        Example(
            f"{titles.get(pair.one, '')} / {titles.get(pair.other, '')} ({pair.share:.0%})",
            merge_url(pair.one, pair.other),
        )
        for pair in pairs[:limit]
    ]
    return Found(len(pairs), tuple(examples))


def merge_url(kept: UUID, duplicate: UUID) -> str:
    """The page that merges two entries."""
    return f"{reverse('entry_merge', args=[kept])}?with={duplicate}"


def index_found(limit: int) -> Found:
    """What of the search index is out of step."""
    checked = index_check()
    evidence = _(
        "%(entries)d entries; %(missing)d not in the index, %(outdated)d indexed with an older text, "
        "%(orphaned)d index rows without an entry."
    )
    return Found(checked.missing + checked.outdated + checked.orphaned, (), evidence % checked.as_dict())


def counters_found(limit: int) -> Found:
    """Entries whose counters disagree with the votes."""
    entries = finding.entries_miscounted()
    rows = entries.order_by("pk").values_list("pk", "title", "success_count", "failure_count", "good", "bad")[:limit]
    examples: list[Any] = []
    for pk, title, worked, failed, good, bad in rows:
        text = _("counted %(worked)d/%(failed)d, votes %(good)d/%(bad)d")
        facts = {"worked": worked, "failed": failed, "good": good, "bad": bad}
        examples.append(entry_example(pk, title, text % facts))
    return Found(entries.count(), tuple(examples))


def encoding_found(limit: int) -> Found:
    """Entries with damage of encoding."""
    count, examples = 0, list[Example]()
    for pk, title, places in finding.entries_damaged():
        count += 1
        if len(examples) < limit:
            examples.append(entry_example(pk, title, " ".join(dict.fromkeys(places))[:80]))
    return Found(count, tuple(examples))


def transfer_files_found(limit: int) -> Found:
    """Folders of imports that no import knows."""
    strays = finding.import_folders_stray()
    return Found(len(strays), tuple(Example(f"transfer/imports/{path.name}") for path in strays[:limit]))


CHECKS = (
    Check(
        name="incomplete_entries",
        title=gettext_lazy("Every entry is complete"),
        help=gettext_lazy("A text is blank, or category or severity is unknown. Edit the entry or archive it."),
        severity=CheckStatus.WARNING,
        find=incomplete_found,
    ),
    Check(
        name="unrendered_entries",
        title=gettext_lazy("Every entry has its page"),
        help=gettext_lazy("Rows that were written past the site: their text was never rendered, so the page is empty."),
        severity=CheckStatus.WARNING,
        find=unrendered_found,
        repair="render_entries",
    ),
    Check(
        name="duplicate_entries",
        title=gettext_lazy("No entry is there twice"),
        help=gettext_lazy(
            "Same title and problem, however spaced and punctuated. Votes and views are spread over both."
        ),
        severity=CheckStatus.WARNING,
        find=duplicates_found,
        repair="merge_duplicates",
    ),
    Check(
        name="near_duplicates",
        title=gettext_lazy("No two entries are nearly the same"),
        help=gettext_lazy("They share four in five words or more. Look at both, then merge them or tell them apart."),
        severity=CheckStatus.NOTICE,
        find=near_found,
    ),
    Check(
        name="search_index_rows",
        title=gettext_lazy("The search index fits the entries"),
        help=gettext_lazy("A search misses what is not in the index, or finds an older text."),
        severity=CheckStatus.ERROR,
        find=index_found,
        repair="rebuild_index",
    ),
    Check(
        name="vote_counters",
        title=gettext_lazy("Counters agree with the votes"),
        help=gettext_lazy("Success rates and the order of results are wrong for these entries."),
        severity=CheckStatus.WARNING,
        find=counters_found,
        repair="mend_counters",
    ),
    Check(
        name="encoding_damage",
        title=gettext_lazy("Texts are in one encoding"),
        help=gettext_lazy(
            "Letters were read in the wrong encoding. What can be told is mended; lost characters are not."
        ),
        severity=CheckStatus.WARNING,
        find=encoding_found,
        repair="mend_encoding",
    ),
    Check(
        name="unused_labels",
        title=gettext_lazy("Every tag and code is used"),
        help=gettext_lazy("Tags that no entry has, and codes without an entry, a meaning or another name."),
        severity=CheckStatus.NOTICE,
        find=labels_found,
        repair="remove_unused",
    ),
    Check(
        name="transfer_files",
        title=gettext_lazy("No file of an import is left over"),
        help=gettext_lazy("A folder that no import knows. It can be set aside and deleted later."),
        severity=CheckStatus.NOTICE,
        find=transfer_files_found,
        repair="set_imports_aside",
    ),
)
