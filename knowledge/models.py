"""The tables of MVP1. Table names are the ones that operators know from their reports."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinLengthValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

TITLE_CHARS = (3, 255)
PROBLEM_CHARS = (10, 5_000)
SOLUTION_CHARS = (10, 10_000)


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


class Tag(models.Model):
    """A free label; lower case, unique."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        db_table = "kb_tags"
        ordering = ["name"]
        verbose_name = _("tag")
        verbose_name_plural = _("tags")

    def __str__(self) -> str:
        return self.name


class ErrorCode(models.Model):
    """A code in its canonical form (see knowledge.codes) with what it means."""

    code = models.CharField(_("code"), max_length=32, unique=True)
    kind = models.CharField(_("kind"), max_length=32, db_index=True)
    meaning = models.CharField(_("meaning"), max_length=500, blank=True)

    class Meta:
        db_table = "kb_error_codes"
        ordering = ["code"]
        verbose_name = _("error code")
        verbose_name_plural = _("error codes")

    def __str__(self) -> str:
        return self.code


class CodeAlias(models.Model):
    """Another name that people type for a code; stored lower case, one code each."""

    alias = models.CharField(_("alias"), max_length=100, unique=True)
    error_code = models.ForeignKey(ErrorCode, models.CASCADE, related_name="aliases", verbose_name=_("code"))

    class Meta:
        db_table = "kb_code_aliases"
        ordering = ["alias"]
        verbose_name = _("code alias")
        verbose_name_plural = _("code aliases")

    def __str__(self) -> str:
        return self.alias


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
            models.CheckConstraint(name="kb_entries_problem_length", condition=length_between("problem", PROBLEM_CHARS)),
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
        return reverse("entry", args=[self.pk])

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


class Feedback(models.Model):
    """What one reader says of one entry; a second vote of the same reader replaces the first."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="feedback", verbose_name=_("entry"))
    worked = models.BooleanField(_("worked"))
    rating = models.PositiveSmallIntegerField(
        _("rating"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    comment = models.TextField(_("comment"), blank=True, validators=[MaxLengthValidator(2_000)])
    #: "user:<id>" or "session:<hash>"; who voted, without storing a session key.
    voter = models.CharField(max_length=80)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        db_table = "kb_feedback"
        ordering = ["-created_at", "-id"]
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        constraints = [
            models.UniqueConstraint(fields=["entry", "voter"], name="kb_feedback_one_vote"),
            models.CheckConstraint(
                name="kb_feedback_rating", condition=models.Q(rating__isnull=True) | models.Q(rating__range=(1, 5))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}: {'worked' if self.worked else 'did not work'}"


class SearchQuery(models.Model):
    """One search that a person made."""

    query = models.CharField(_("query"), max_length=500, blank=True)
    #: The analysed tokens, space separated, in the order typed: equal for spellings of one search.
    normalized = models.CharField(max_length=500, blank=True, db_index=True)
    filters = models.JSONField(_("filters"), default=dict, blank=True)
    result_count = models.PositiveIntegerField(_("results"), default=0)
    elapsed_ms = models.FloatField(_("time (ms)"), default=0.0)
    #: As in Feedback.voter.
    searcher = models.CharField(max_length=80, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    opened_entry = models.ForeignKey(
        Entry, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("opened entry")
    )
    created_at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)

    class Meta:
        db_table = "search_history"
        ordering = ["-id"]
        verbose_name = _("search")
        verbose_name_plural = _("search history")
        indexes = [models.Index(fields=["searcher", "-created_at"], name="search_history_searcher")]

    def __str__(self) -> str:
        return self.query


class SearchDoc(models.Model):
    """The analysed tokens of one entry, space separated by field; the database's own index follows this row.

    Written only by knowledge.search.index. Its FTS5 tables (SQLite) and tsvector columns (PostgreSQL)
    are made in a migration and kept in step by triggers and by generation, so a migration that makes
    SQLite rebuild this table has to make the triggers again.
    """

    #: Static rank: small means much used and proven. Equal on every database for equal entries.
    rank = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, models.CASCADE, related_name="search_doc")
    category = models.CharField(max_length=16)
    severity = models.CharField(max_length=16)
    status = models.CharField(max_length=16)
    #: `version` of the entry that was indexed.
    version = models.PositiveIntegerField()
    codes = models.TextField()
    title = models.TextField()
    tags = models.TextField()
    problem = models.TextField()
    solution = models.TextField()

    class Meta:
        db_table = "kb_search_docs"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.rank} {self.entry_id}"


class PluginHealth(models.TextChoices):
    """The last verdict of a plugin's own health check."""

    UNKNOWN = "unknown", _("Not checked yet")
    OK = "ok", _("Healthy")
    WARN = "warn", _("Needs a look")
    FAIL = "fail", _("Failing")


class Plugin(models.Model):
    """The state of one plugin; what it does is declared in code (knowledge.plugins)."""

    name = models.SlugField(_("name"), max_length=64, unique=True)
    title = models.CharField(_("title"), max_length=120)
    phase_level = models.PositiveSmallIntegerField(_("level"))
    enabled = models.BooleanField(_("enabled"), default=False)
    configuration = models.JSONField(_("configuration"), default=dict, blank=True)
    health = models.CharField(_("health"), max_length=16, choices=PluginHealth, default=PluginHealth.UNKNOWN)
    health_message = models.CharField(_("health message"), max_length=500, blank=True)
    health_checked_at = models.DateTimeField(_("health checked"), null=True, blank=True)
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    run_count = models.PositiveIntegerField(_("runs"), default=0)
    error_count = models.PositiveIntegerField(_("errors"), default=0)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    class Meta:
        db_table = "kb_plugins"
        ordering = ["phase_level", "name"]
        verbose_name = _("plugin")
        verbose_name_plural = _("plugins")

    def __str__(self) -> str:
        return self.title


class Setting(models.Model):
    """A value that staff change while the site runs."""

    key = models.CharField(_("key"), max_length=100, unique=True)
    value = models.JSONField(_("value"))
    description = models.CharField(_("description"), max_length=300, blank=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("updated by")
    )
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    class Meta:
        db_table = "kb_settings"
        ordering = ["key"]
        verbose_name = _("setting")
        verbose_name_plural = _("settings")

    def __str__(self) -> str:
        return self.key
