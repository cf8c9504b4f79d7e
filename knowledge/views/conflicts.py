"""Two edits of one entry at a time: what each of them changed, and which text is to stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knowledge.differences import DiffRow, difference_rows
from knowledge.forms import EntryForm
from knowledge.models import Entry, EntryRevision

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Name of the choice of a field is this and the field's; its value is KEEP_SAVED or nothing that matters.
CHOICE_PREFIX = "keep_"
KEEP_SAVED = "saved"


@dataclass(frozen=True, kw_only=True)
class FieldConflict:
    """A field that both edits changed, each in its own way."""

    name: str
    label: StrOrPromise
    #: From the saved text to the typed one.
    rows: tuple[DiffRow, ...]

    @property
    def choice_name(self) -> str:
        """Name of the radio buttons."""
        return CHOICE_PREFIX + self.name


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What has to be decided, and what needs no decision."""

    conflicts: tuple[FieldConflict, ...]
    #: Fields that only the other edit changed; the form has its values now.
    taken: tuple[StrOrPromise, ...]
    #: Fields that only this person changed.
    own: tuple[StrOrPromise, ...]


def entry_values(entry: Entry) -> dict[str, Any]:
    """An entry as the form's values."""
    codes = entry.entrycode_set.order_by("position").values_list("error_code__code", flat=True)
    values = {name: getattr(entry, name) for name in (*EntryForm.Meta.fields, "version")}
    return {**values, "tags": list(entry.tags.values_list("name", flat=True)), "codes": list(codes)}


def with_choices(typed: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    """What was sent, with the saved value in each field where the person chose it."""
    data = {name: typed[name] for name in typed}
    chosen = [name for name in EntryForm.base_fields if data.get(CHOICE_PREFIX + name) == KEEP_SAVED]
    if chosen:
        saved = entry_values(entry)
        data |= {name: as_text(saved[name]) for name in chosen}
    return data


def compare(form: EntryForm, entry: Entry, typed_version: int) -> Comparison:
    """The typed text beside what is saved now.

    A field that the person left as it was takes the saved value; the form then names the saved version.
    Where the version they began from is not in the history, every differing field is a conflict.
    """
    saved = entry_values(entry)
    began = EntryRevision.objects.filter(entry=entry, version=typed_version).first()
    conflicts, taken, own = [], [], []
    data = {name: form.data[name] for name in form.data} | {"version": str(entry.version)}
    for name, typed in form.facts().items():
        label, before = form.fields[name].label or name, as_text(getattr(began, name)) if began else None
        if as_text(saved[name]) == as_text(typed):
            continue
        if before == as_text(typed):
            data[name] = as_text(saved[name])
            taken.append(label)
        elif before == as_text(saved[name]):
            own.append(label)
        else:
            rows = difference_rows(printed(form, name, saved[name]), printed(form, name, typed))
            conflicts.append(FieldConflict(name=name, label=label, rows=rows))
    form.data = data
    form.fields["title"].widget.attrs.pop("autofocus", None)  # it would scroll past what there is to decide
    return Comparison(conflicts=tuple(conflicts), taken=tuple(taken), own=tuple(own))


def same(form: EntryForm, entry: Entry) -> bool:
    """Whether the typed text is what is saved."""
    saved = entry_values(entry)
    return all(as_text(saved[name]) == as_text(typed) for name, typed in form.facts().items())


def as_text(value: Any) -> str:
    """A field's value as comparable text; line ends as the browser or the database has them are equal."""
    return ", ".join(value) if isinstance(value, list) else str(value).replace("\r\n", "\n").strip()


def printed(form: EntryForm, name: str, value: Any) -> str:
    """A field's value as a person reads it: choices by their label."""
    text = as_text(value)
    return str(dict(getattr(form.fields[name], "choices", ())).get(text, text))
