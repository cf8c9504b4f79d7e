"""Entries: a problem and how it is solved."""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.conf import settings
from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from knowledge.models.vocabulary import ErrorCode, Tag

TITLE_CHARS = (3, 255)

PROBLEM_CHARS = (10, 5_000)

SOLUTION_CHARS = (10, 10_000)


#: The readable end of an address is cut at a word.
SLUG_CHARS = 80


class Category(models.TextChoices):
    """The subject of an entry."""

    JCL = "JCL", "JCL"
    VSAM = "VSAM", "VSAM"
    DB2 = "DB2", "DB2"
    BATCH = "Batch", _("Batch")
    CICS = "CICS", "CICS"
    IMS = "IMS", "IMS"
    MQ = "MQ", "MQ"
    COBOL = "COBOL", "COBOL"
    SYSTEM = "System", _("System")
    FUNCTIONAL = "Functional", _("Functional")
    OTHER = "Other", _("Other")


class Severity(models.TextChoices):
    """How bad the problem is where it strikes."""

    CRITICAL = "critical", _("Critical")
    HIGH = "high", _("High")
    MEDIUM = "medium", _("Medium")
    LOW = "low", _("Low")


class EntryStatus(models.TextChoices):
    """Who sees an entry: drafts only staff, published everyone, archived nobody by default."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    ARCHIVED = "archived", _("Archived")


class EntryOrigin(models.TextChoices):
    """How an entry came into the knowledge base."""

    MANUAL = "manual", _("Written here")
    STARTER = "starter", _("Starter knowledge base")
    IMPORT = "import", _("Imported")


def length_between(field: str, bounds: tuple[int, int]) -> models.Q:
    """Condition that a text column has between `bounds` characters, both included."""
    low, high = bounds
    length = Length(models.F(field))
    return models.Q(GreaterThanOrEqual(length, low)) & models.Q(LessThanOrEqual(length, high))


def entry_slug(title: str) -> str:
    """The title as the readable end of an address.

    Empty for a title of one word: it could be the name of an action below the entry, which never has a hyphen.
    """
    slug = slugify(title)
    if len(slug) > SLUG_CHARS:
        slug = slug[: SLUG_CHARS + 1].rpartition("-")[0]
    return slug if "-" in slug else ""


@lru_cache(maxsize=16)
def _address(_script_prefix: str) -> tuple[str, str, str]:
    """What an address has before the id, between it and the title, and behind: to reverse each one takes longer than
    all else that a list shows of its entries."""
    any_id = uuid.UUID(int=0)
    before, _, rest = reverse("entry_named", args=[any_id, "a-title"]).partition(str(any_id))
    between, _, after = rest.partition("a-title")
    return before, between, after


class Entry(models.Model):
    """One problem and how it is solved."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(_("title"), max_length=TITLE_CHARS[1], validators=[MinLengthValidator(TITLE_CHARS[0])])
    problem = models.TextField(
        _("problem"),
        validators=[MinLengthValidator(PROBLEM_CHARS[0]), MaxLengthValidator(PROBLEM_CHARS[1])],
        help_text=_("What the person sees: the symptom and the message lines. Markdown."),
    )
    solution = models.TextField(
        _("solution"),
        validators=[MinLengthValidator(SOLUTION_CHARS[0]), MaxLengthValidator(SOLUTION_CHARS[1])],
        help_text=_("Causes, diagnosis, fix, prevention. Markdown."),
    )
    #: Rendered and cleaned by knowledge.entries at every save; never edited.
    problem_html = models.TextField(editable=False, default="")
    solution_html = models.TextField(editable=False, default="")
    category = models.CharField(_("category"), max_length=16, choices=Category, db_index=True)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity, default=Severity.MEDIUM)
    status = models.CharField(_("status"), max_length=16, choices=EntryStatus, default=EntryStatus.DRAFT, db_index=True)
    origin = models.CharField(_("origin"), max_length=16, choices=EntryOrigin, default=EntryOrigin.MANUAL)
    tags = models.ManyToManyField(Tag, through="EntryTag", related_name="entries", verbose_name=_("tags"))
    codes = models.ManyToManyField(ErrorCode, through="EntryCode", related_name="entries", verbose_name=_("codes"))
    usage_count = models.PositiveIntegerField(_("views"), default=0)
    success_count = models.PositiveIntegerField(_("worked"), default=0)
    failure_count = models.PositiveIntegerField(_("did not work"), default=0)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    #: Raised by every edit; an edit that names an older one is refused as stale.
    version = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("updated by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        db_table = "kb_entries"
        ordering = ["-updated_at", "id"]
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        permissions = [("publish_entry", _("Can publish and archive entries"))]
        indexes = [
            models.Index(fields=["status", "-updated_at"], name="kb_entries_recent"),
            models.Index(fields=["status", "-usage_count"], name="kb_entries_most_used"),
        ]
        constraints = [
            models.CheckConstraint(name="kb_entries_title_length", condition=length_between("title", TITLE_CHARS)),
            models.CheckConstraint(
                name="kb_entries_problem_length", condition=length_between("problem", PROBLEM_CHARS)
            ),
            models.CheckConstraint(
                name="kb_entries_solution_length", condition=length_between("solution", SOLUTION_CHARS)
            ),
            models.CheckConstraint(name="kb_entries_category", condition=models.Q(category__in=Category.values)),
            models.CheckConstraint(name="kb_entries_severity", condition=models.Q(severity__in=Severity.values)),
            models.CheckConstraint(name="kb_entries_status", condition=models.Q(status__in=EntryStatus.values)),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        slug = entry_slug(self.title)
        before, between, after = _address(get_script_prefix())
        return f"{before}{self.pk}{between}{slug}{after}" if slug else f"{before}{self.pk}{between}"

    @property
    def votes(self) -> int:
        """How many readers said whether the entry worked."""
        return self.success_count + self.failure_count

    @property
    def success_percent(self) -> int | None:
        """Share of votes that say it worked, in whole percent; None without votes."""
        return round(100 * self.success_count / self.votes) if self.votes else None


class EntryTag(models.Model):
    """A tag on an entry."""

    entry = models.ForeignKey(Entry, models.CASCADE)
    tag = models.ForeignKey(Tag, models.CASCADE)

    class Meta:
        db_table = "kb_entry_tags"
        constraints = [models.UniqueConstraint(fields=["entry", "tag"], name="kb_entry_tags_once")]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.tag_id}"


class EntryCode(models.Model):
    """A code that an entry is about; `position` 0 is its own, the others come up with it."""

    entry = models.ForeignKey(Entry, models.CASCADE)
    error_code = models.ForeignKey(ErrorCode, models.CASCADE)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "kb_entry_codes"
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["entry", "error_code"], name="kb_entry_codes_once")]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.error_code_id}"
