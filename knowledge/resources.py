"""Entries as rows of a file, for the admin's import and export."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import tablib
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet, TextChoices
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import Diff, ModelResource
from import_export.results import Result
from import_export.tmp_storages import CacheStorage
from import_export.widgets import Widget

from knowledge.categories import category_named
from knowledge.codes import code_given
from knowledge.entries import entry_create, entry_update
from knowledge.errors import EntryInvalidError, KnowledgeError
from knowledge.labels import codes_by_entry
from knowledge.models import Category, Entry, EntryCode, EntryOrigin, EntryStatus, Severity

COLUMNS = (
    "id",
    "title",
    "problem",
    "solution",
    "category",
    "severity",
    "status",
    "tags",
    "codes",
    "created_by",
    "created_at",
    "updated_at",
)
IMPORTED = COLUMNS[:9]
#: Other names that files use for a column.
COLUMN_NAMES = {"tag": "tags", "code": "codes", "error_codes": "codes", "error_code": "codes", "author": "created_by"}
WRITTEN = ("title", "problem", "solution", "category", "severity", "status")
DIFF_CHARS = 120
SAME_CHARS = 48


class TextWidget(Widget):
    """Text with one kind of line end and without spaces around it."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value).replace("\r\n", "\n").strip()


class IdWidget(Widget):
    """A UUID; an empty cell makes a new entry."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> UUID | None:
        if value in (None, ""):
            return None
        try:
            return UUID(str(value).strip())
        except ValueError as error:
            raise ValueError(_("“%(id)s” is no id (UUID). Leave it empty for a new entry.") % {"id": value}) from error


class ChoiceWidget(Widget):
    """One of the choices by value or label; an empty cell leaves what is there."""

    def __init__(self, choices: type[TextChoices]) -> None:
        super().__init__()
        self.choices = choices

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str | None:
        name = str(value or "").strip()
        found = self.named(name)
        if name and found is None:
            facts = {"name": name[:60], "known": ", ".join(self.choices.values)}
            raise ValueError(_("“%(name)s” is unknown; choose one of %(known)s.") % facts)
        return found

    def named(self, name: str) -> str | None:
        """The choice with this value or label."""
        folded = name.lower()
        return next((c.value for c in self.choices if folded in (c.value.lower(), str(c.label).lower())), None)


class CategoryWidget(ChoiceWidget):
    """A category, by the names that other systems use as well."""

    def named(self, name: str) -> str | None:
        return super().named(name) or category_named(name)


class WordsWidget(Widget):
    """A list, or words separated by commas, semicolons or line ends; an empty cell is an empty list."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> list[str]:
        parts = value if isinstance(value, (list, tuple)) else re.split(r"[,;\n]", str(value or ""))
        return list(dict.fromkeys(word for part in parts if (word := " ".join(str(part).split()))))


class EntryDiff(Diff):
    """What a row changes, short enough for a preview of many rows."""

    def __init__(self, resource: EntryResource, instance: Entry, new: bool) -> None:
        self.left = _compared(instance)
        self.right: list[str] = []
        self.new = new

    def compare_with(self, resource: EntryResource, instance: Entry | None) -> None:
        self.right = _compared(instance) if instance else []

    def as_html(self) -> list[str]:
        pairs = zip(self.left, self.right, strict=False)
        return [_diff_html("" if self.new else left, right) for left, right in pairs]


def _compared(entry: Entry) -> list[str]:
    """The columns that an import writes, as text, in the order of the preview."""
    texts = [str(entry.pk), *(str(getattr(entry, name)) for name in WRITTEN)]
    return [
        *texts,
        ", ".join(sorted(tag.lower() for tag in given_words(entry, "tags"))),
        ", ".join(given_words(entry, "codes")),
    ]


def given_words(entry: Entry, name: str) -> list[str]:
    """The tags or codes that a row gives, or that the entry has."""
    words: list[str] = getattr(entry, f"given_{name}", [])
    return words


def _diff_html(left: str, right: str) -> str:
    if left == right:
        return format_html("<span>{}</span>", _shortened(right, 0, SAME_CHARS))
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    start = max(0, start - 30)
    if not left:
        return format_html("<ins>{}</ins>", _shortened(right, 0))
    return format_html("<del>{}</del> <ins>{}</ins>", _shortened(left, start), _shortened(right, start))


def _shortened(text: str, start: int, chars: int = DIFF_CHARS) -> str:
    cut = text[start : start + chars]
    return f"{'…' if start else ''}{cut}{'…' if start + chars < len(text) else ''}"


def _cell_text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)


class EntryResult(Result):
    """The outcome of each row; refused rows keep only the beginning of their texts, for the page."""

    def append_invalid_row(self, number: int, row: Mapping[str, Any], validation_error: ValidationError) -> None:
        shown = {name: _shortened(_cell_text(row.get(name)), 0, SAME_CHARS) for name in IMPORTED}
        super().append_invalid_row(number, shown, validation_error)


class EntryResource(ModelResource):
    """Entries as rows. An import writes each row through the same services as the pages do, in a
    transaction of its own, so that no row holds the database for long."""

    id = Field("id", column_name="id", widget=IdWidget())
    title = Field("title", column_name="title", widget=TextWidget())
    problem = Field("problem", column_name="problem", widget=TextWidget())
    solution = Field("solution", column_name="solution", widget=TextWidget())
    category = Field("category", column_name="category", widget=CategoryWidget(Category), saves_null_values=False)
    severity = Field("severity", column_name="severity", widget=ChoiceWidget(Severity), saves_null_values=False)
    status = Field("status", column_name="status", widget=ChoiceWidget(EntryStatus), saves_null_values=False)
    tags = Field("given_tags", column_name="tags", widget=WordsWidget())
    codes = Field("given_codes", column_name="codes", widget=WordsWidget())
    created_by = Field("created_by", column_name="created_by", readonly=True)
    created_at = Field("created_at", column_name="created_at", readonly=True)
    updated_at = Field("updated_at", column_name="updated_at", readonly=True)

    class Meta:
        model = Entry
        fields = COLUMNS
        import_order = IMPORTED
        export_order = COLUMNS
        import_id_fields = ("id",)
        skip_unchanged = True
        report_skipped = True
        use_transactions = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user: User | None = kwargs.get("user")
        #: Where the versions are kept that the preview has shown; empty for a script, which shows none.
        self.shown_key: str = kwargs.get("shown_key", "")
        #: Versions of the entries by id: those that this pass meets, and those that the preview has shown.
        self.met: dict[str, int] = {}
        self.shown: dict[str, int] | None = None

    @classmethod
    def get_display_name(cls) -> str:
        return _("Entries")

    @classmethod
    def get_result_class(cls) -> type[EntryResult]:
        return EntryResult

    @classmethod
    def get_diff_class(cls) -> type[EntryDiff]:
        return EntryDiff

    def get_diff_headers(self) -> list[str]:
        return list(IMPORTED)

    # Export -----------------------------------------------------------------------------------

    def filter_export(self, queryset: QuerySet[Entry], **kwargs: Any) -> QuerySet[Entry]:
        return queryset.select_related("created_by").prefetch_related(
            "tags", Prefetch("entrycode_set", EntryCode.objects.select_related("error_code").order_by("position"))
        )

    def dehydrate_id(self, entry: Entry) -> str:
        return str(entry.pk)

    def dehydrate_tags(self, entry: Entry) -> list[str]:
        return [tag.name for tag in entry.tags.all()]

    def dehydrate_codes(self, entry: Entry) -> list[str]:
        return [link.error_code.code for link in entry.entrycode_set.all()]

    def dehydrate_created_by(self, entry: Entry) -> str:
        return entry.created_by.get_username() if entry.created_by else ""

    def dehydrate_created_at(self, entry: Entry) -> str:
        return entry.created_at.isoformat()

    def dehydrate_updated_at(self, entry: Entry) -> str:
        return entry.updated_at.isoformat()

    # Import -----------------------------------------------------------------------------------

    def import_data(self, dataset: tablib.Dataset, dry_run: bool = False, **kwargs: Any) -> Result:
        """The result of each row. No transaction around all of them: SQLite has one writer at a time."""
        for unused in ("use_transactions", "rollback_on_validation_errors"):
            kwargs.pop(unused, None)
        raise_errors = kwargs.pop("raise_errors", False)
        collect = kwargs.pop("collect_failed_rows", False)
        self.user = kwargs.get("user", self.user)
        return self.import_data_inner(dataset, dry_run, raise_errors, False, collect, **kwargs)

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        if self.shown_key and not kwargs.get("dry_run"):
            self.shown = cache.get(self.shown_key)
        names = [str(name).strip().lower().replace(" ", "_") for name in dataset.headers or []]
        dataset.headers = [COLUMN_NAMES.get(name, name) for name in names]
        if "id" not in dataset.headers:
            dataset.append_col([None] * len(dataset), header="id")

    def after_import(self, dataset: tablib.Dataset, result: Result, **kwargs: Any) -> None:
        """Keep what a preview has shown as long as the upload is kept. Entries have no sequence to set."""
        if self.shown_key and kwargs.get("dry_run"):
            cache.set(self.shown_key, self.met, CacheStorage.CACHE_LIFETIME)

    def after_init_instance(self, instance: Entry, new: bool, row: Mapping[str, Any], **kwargs: Any) -> None:
        if not new:
            self.met[str(instance.pk)] = instance.version
        given = ([], []) if new else (self.dehydrate_tags(instance), codes_by_entry([instance.pk])[instance.pk])
        vars(instance).update(given_tags=given[0], given_codes=given[1])
        if new:
            instance.status = EntryStatus.PUBLISHED if self.may_publish() else EntryStatus.DRAFT

    def may_publish(self) -> bool:
        """Whether the importing person may publish; a script without a person may."""
        return self.user is None or self.user.has_perm("knowledge.publish_entry")

    def import_field(self, field: Field, instance: Entry, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if field.column_name == "id" and not row.get("id"):
            return  # a new entry keeps the id that it was made with
        super().import_field(field, instance, row, is_m2m, **kwargs)

    def validate_instance(
        self, instance: Entry, import_validation_errors: dict[str, Any] | None = None, validate_unique: bool = True
    ) -> None:
        errors = dict(import_validation_errors or {})
        try:
            instance.clean_fields(exclude=[*errors, "created_by", "updated_by"])
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if instance.status != EntryStatus.DRAFT and not self.may_publish():
            errors["status"] = ValidationError(_("You may import drafts only; publishing needs its own permission."))
        if errors:
            raise ValidationError(errors)

    def skip_row(
        self, instance: Entry, original: Entry | None, row: Any, import_validation_errors: dict[str, Any] | None = None
    ) -> bool:
        """Whether the row changes nothing. Codes that were found in the text are no difference."""
        if import_validation_errors or original is None or instance._state.adding:
            return False
        old = given_words(original, "codes")
        new = [found.code if (found := code_given(word)) else word for word in given_words(instance, "codes")]
        return (
            all(getattr(instance, name) == getattr(original, name) for name in WRITTEN)
            and {tag.lower() for tag in given_words(instance, "tags")} == set(given_words(original, "tags"))
            and new[:1] == old[:1]
            and set(new) <= set(old)
        )

    def save_instance(self, instance: Entry, is_create: bool, row: Mapping[str, Any], **kwargs: Any) -> None:
        """Write the row through the services; a dry run only validates."""
        if kwargs.get("dry_run"):
            return
        there = 0 if is_create else instance.version
        if self.shown is not None and self.shown.get(str(instance.pk), 0) != there:
            raise ValidationError(_("The entry was edited after the preview. Upload the file again to see it."))
        values = {name: getattr(instance, name) for name in WRITTEN}
        values |= {"tags": given_words(instance, "tags"), "codes": given_words(instance, "codes")}
        try:
            if is_create:
                self._create(instance, values, row)
            else:
                entry_update(entry=instance, expected_version=instance.version, author=self.user, **values)
        except EntryInvalidError as error:
            raise ValidationError(dict(error.fields)) from error
        except KnowledgeError as error:
            raise ValidationError(str(error)) from error

    def _create(self, instance: Entry, values: dict[str, Any], row: Mapping[str, Any]) -> None:
        author = User.objects.filter(username=str(row.get("created_by") or "")).first() or self.user
        entry_create(id=instance.pk, origin=EntryOrigin.IMPORT, author=author, **values)
        if created_at := moment(row.get("created_at")):
            Entry.objects.filter(pk=instance.pk).update(created_at=created_at)

    def save_m2m(self, instance: Entry, row: Any, **kwargs: Any) -> None:
        """Nothing: the services have written tags and codes."""


def moment(value: Any) -> datetime | None:
    """A point in time from a cell; None when it is empty or no date."""
    try:
        found = value if isinstance(value, datetime) else parse_datetime(str(value or ""))
    except ValueError:
        return None
    return make_aware(found) if found and is_naive(found) else found


def invalid_rows_printed(result: Result, most: int) -> Iterable[str]:
    """The rows that were not imported, with their reasons, at most `most` of them."""
    for row in result.invalid_rows[:most]:
        reasons = "; ".join(row.error.messages)
        yield _("Row %(number)s: %(reasons)s") % {"number": row.number, "reasons": reasons}
    for row in result.error_rows[:most]:
        reasons = "; ".join(str(error.error) for error in row.errors)
        yield _("Row %(number)s: %(reasons)s") % {"number": row.number, "reasons": reasons}
