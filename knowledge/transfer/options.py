"""What a person chooses for an import."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from knowledge.errors import ImportOptionError
from knowledge.models import Category, EntryStatus, Severity


class Duplicates(TextChoices):
    """What becomes of a new row whose title and problem are there already."""

    SKIP = "skip", _("Skip it")
    ADD = "add", _("Add it all the same")


class Existing(TextChoices):
    """What becomes of an entry whose id is in the file."""

    UPDATE = "update", _("Change it to what the file says")
    KEEP = "keep", _("Leave it as it is")


class OnError(TextChoices):
    """What becomes of an import with invalid rows."""

    GO_ON = "go_on", _("Import the others")
    STOP = "stop", _("Import nothing")


class UnknownColumns(TextChoices):
    """What becomes of columns that no field of an entry is for."""

    DROP = "drop", _("Leave them out")
    KEEP = "keep", _("Add them to the end of the solution")


class DateOrder(TextChoices):
    """How 03/04/2024 is read."""

    REFUSE = "refuse", _("Refuse what can be read in two ways")
    DAY_FIRST = "day_first", _("Day first")
    MONTH_FIRST = "month_first", _("Month first")


_CHOICES: dict[str, type[TextChoices]] = {
    "duplicates": Duplicates,
    "existing": Existing,
    "on_error": OnError,
    "unknown_columns": UnknownColumns,
    "dates": DateOrder,
    "status": EntryStatus,
}


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """The choices of one import; as JSON in its row."""

    duplicates: str = Duplicates.SKIP
    existing: str = Existing.UPDATE
    on_error: str = OnError.GO_ON
    unknown_columns: str = UnknownColumns.DROP
    dates: str = DateOrder.REFUSE
    #: Of new entries whose row has none.
    status: str = EntryStatus.PUBLISHED
    #: Field of each column, empty to drop it; columns that are not named are recognised by their names.
    columns: dict[str, str] = field(default_factory=dict)
    #: Category and severity by the words of the file; the empty word is for rows without one.
    categories: dict[str, str] = field(default_factory=dict)
    severities: dict[str, str] = field(default_factory=dict)
    #: User name by the name in the file.
    authors: dict[str, str] = field(default_factory=dict)
    #: Where the ids of the file come from, so that equal numbers of two systems stay two entries.
    system: str = ""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices.values:
                known = ", ".join(choices.values)
                raise ImportOptionError(option=name, value=getattr(self, name), known=known)
        for name, values in (("categories", Category.values), ("severities", Severity.values)):
            if wrong := set(getattr(self, name).values()) - set(values):
                raise ImportOptionError(option=name, value=", ".join(sorted(wrong)), known=", ".join(values))

    @classmethod
    def of(cls, values: dict[str, Any]) -> ImportOptions:
        """Options from JSON. Raises ImportOptionError."""
        known = {one.name for one in fields(cls)}
        if unknown := values.keys() - known:
            raise ImportOptionError(option=", ".join(sorted(unknown)), value="", known=", ".join(sorted(known)))
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, str) else value for name, value in asdict(self).items()}
