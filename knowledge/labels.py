"""Tags and codes of entries: made when first used, linked in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from knowledge.codes import Code
from knowledge.models import Entry, EntryCode, EntryTag, ErrorCode, Tag

TAG_CHARS = 64


def tag_names(given: Iterable[str]) -> list[str]:
    """Tags as they are stored: lower case, single blanks, each once, in the order given."""
    names = (" ".join(name.replace("\0", "").lower().split()) for name in given)
    return list(dict.fromkeys(name for name in names if name))


def tags_ensure(names: Iterable[str]) -> dict[str, Tag]:
    """The tags of these names, made where missing."""
    wanted = set(names)
    found = {tag.name: tag for tag in Tag.objects.filter(name__in=wanted)}
    if missing := wanted - found.keys():
        Tag.objects.bulk_create([Tag(name=name) for name in sorted(missing)], ignore_conflicts=True)
        found |= {tag.name: tag for tag in Tag.objects.filter(name__in=missing)}
    return found


def codes_ensure(codes: Iterable[Code]) -> dict[str, ErrorCode]:
    """The rows of these codes, made where missing."""
    kinds = {code.code: code.kind for code in codes}
    found = {row.code: row for row in ErrorCode.objects.filter(code__in=kinds)}
    if missing := kinds.keys() - found.keys():
        rows = [ErrorCode(code=code, kind=kinds[code]) for code in sorted(missing)]
        ErrorCode.objects.bulk_create(rows, ignore_conflicts=True)
        found |= {row.code: row for row in ErrorCode.objects.filter(code__in=missing)}
    return found


def codes_by_entry(ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """The codes of these entries, their own first; an empty list where there are none."""
    found: dict[UUID, list[str]] = defaultdict(list)
    links = EntryCode.objects.filter(entry__in=list(ids)).order_by("position", "pk")
    for entry_id, code in links.values_list("entry_id", "error_code__code"):
        found[entry_id].append(code)
    return found


def entry_tags_set(tags: Mapping[Entry, list[str]]) -> None:
    """Give each entry exactly these tags."""
    rows = tags_ensure(name for names in tags.values() for name in names)
    EntryTag.objects.filter(entry__in=list(tags)).delete()
    EntryTag.objects.bulk_create(
        EntryTag(entry=entry, tag=rows[name]) for entry, names in tags.items() for name in names
    )


def entry_codes_set(codes: Mapping[Entry, list[Code]]) -> None:
    """Give each entry exactly these codes, its own first."""
    rows = codes_ensure(code for listed in codes.values() for code in listed)
    EntryCode.objects.filter(entry__in=list(codes)).delete()
    EntryCode.objects.bulk_create(
        EntryCode(entry=entry, error_code=rows[code.code], position=position)
        for entry, listed in codes.items()
        for position, code in enumerate(listed)
    )
