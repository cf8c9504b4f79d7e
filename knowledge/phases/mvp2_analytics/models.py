"""The tables of MVP2. People are named by user name, so that rows outlive accounts while parked."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Entry, SearchQuery
from migrations_ops.gate import phase_cascade


class SearchAnalytics(models.Model):
    """What one search tells, cut to what the dashboard asks for. Days and hours are UTC."""

    search = models.OneToOneField(
        SearchQuery, phase_cascade, primary_key=True, related_name="analytics", verbose_name=_("search")
    )
    normalized = models.CharField(_("normalised query"), max_length=500, blank=True)
    day = models.DateField(_("day"))
    hour = models.PositiveSmallIntegerField(_("hour"))
    result_count = models.PositiveIntegerField(_("results"), default=0)
    elapsed_ms = models.FloatField(_("time (ms)"), default=0.0)
    had_results = models.BooleanField(_("found something"), default=False)
    opened = models.BooleanField(_("result opened"), default=False)
    #: Keyed hash of SearchQuery.searcher: counts people without naming them.
    searcher = models.CharField(_("searcher"), max_length=32, blank=True)
    #: Canonical codes in the query, in the order typed, each once.
    codes = models.JSONField(_("codes"), default=list, blank=True)

    class Meta:
        db_table = "search_analytics"
        ordering = ["-search_id"]
        verbose_name = _("search in analytics")
        verbose_name_plural = _("searches in analytics")
        default_permissions = ("view",)
        permissions = [("ignore_query", _("Can ignore queries without a result"))]
        indexes = [
            models.Index(fields=["day", "normalized"], name="search_analytics_query"),
            models.Index(fields=["day", "elapsed_ms"], name="search_analytics_time"),
            models.Index(fields=["day", "normalized"], condition=Q(had_results=False), name="search_analytics_missed"),
        ]
        constraints = [
            models.CheckConstraint(name="search_analytics_hour", condition=Q(hour__range=(0, 23))),
            models.CheckConstraint(name="search_analytics_elapsed", condition=Q(elapsed_ms__gte=0)),
            models.CheckConstraint(
                name="search_analytics_had_results",
                condition=Q(had_results=True, result_count__gt=0) | Q(had_results=False, result_count=0),
            ),
        ]

    def __str__(self) -> str:
        return self.normalized


class UsageMetric(models.Model):
    """How one entry was used on one day (UTC)."""

    entry = models.ForeignKey(Entry, phase_cascade, related_name="usage_metrics", verbose_name=_("entry"))
    day = models.DateField(_("day"))
    views = models.PositiveIntegerField(_("views"), default=0)
    worked = models.PositiveIntegerField(_("worked"), default=0)
    failed = models.PositiveIntegerField(_("did not work"), default=0)
    #: The entry's view counter up to which views are in this and earlier rows; the next
    #: aggregation adds what the counter has gained since.
    views_total = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "usage_metrics"
        ordering = ["-day", "id"]
        verbose_name = _("usage of an entry")
        verbose_name_plural = _("usage of entries")
        default_permissions = ("view",)
        indexes = [models.Index(fields=["day"], name="usage_metrics_day")]
        constraints = [models.UniqueConstraint(fields=["entry", "day"], name="usage_metrics_once")]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.day}"


class PatternType(models.TextChoices):
    """What a pattern is about."""

    REPEATED_QUERY = "repeated_query", _("Asked again and again")
    ZERO_RESULT = "zero_result", _("Asked, never answered")
    CODE_SURGE = "code_surge", _("A code surges")
    QUERY_FAILURE = "query_failure", _("Found, but it did not help")
    CO_SEARCHED = "co_searched", _("Codes searched together")


class PatternState(models.TextChoices):
    """What people did about a pattern."""

    OPEN = "open", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    RESOLVED = "resolved", _("Resolved")


class UsagePattern(models.Model):
    """Something that searches and votes say more than once. Detection never changes its state."""

    type = models.CharField(_("type"), max_length=24, choices=PatternType)
    #: What it is about, unique in its type: a normalised query, a code, two codes, entry and query.
    key = models.CharField(max_length=600)
    title = models.CharField(_("title"), max_length=300)
    frequency = models.PositiveIntegerField(_("frequency"))
    confidence = models.FloatField(_("confidence"))
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    examples = models.JSONField(_("examples"), default=list, blank=True)
    #: When detection last found it; frequency and confidence are of the window before that.
    detected_at = models.DateTimeField(_("detected"), default=timezone.now)
    state = models.CharField(_("state"), max_length=16, choices=PatternState, default=PatternState.OPEN)
    state_by = models.CharField(_("by"), max_length=150, blank=True)
    state_at = models.DateTimeField(_("since"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=1_000, blank=True)
    #: When it was detected again out of what happened after it had been resolved.
    came_back_at = models.DateTimeField(_("came back"), null=True, blank=True)

    class Meta:
        db_table = "usage_patterns"
        ordering = ["-last_seen", "-id"]
        verbose_name = _("usage pattern")
        verbose_name_plural = _("usage patterns")
        default_permissions = ("view",)
        permissions = [
            ("acknowledge_pattern", _("Can acknowledge a pattern")),
            ("resolve_pattern", _("Can resolve and reopen a pattern")),
        ]
        indexes = [models.Index(fields=["state", "-last_seen"], name="usage_patterns_state")]
        constraints = [
            models.UniqueConstraint(fields=["type", "key"], name="usage_patterns_once"),
            models.CheckConstraint(name="usage_patterns_type", condition=Q(type__in=PatternType.values)),
            models.CheckConstraint(name="usage_patterns_state_known", condition=Q(state__in=PatternState.values)),
            models.CheckConstraint(name="usage_patterns_confidence", condition=Q(confidence__range=(0, 1))),
            models.CheckConstraint(name="usage_patterns_seen", condition=Q(first_seen__lte=F("last_seen"))),
            models.CheckConstraint(
                name="usage_patterns_came_back",
                condition=Q(came_back_at__isnull=True) | Q(state=PatternState.RESOLVED.value),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def came_back(self) -> bool:
        """Whether it was found again after it had been resolved."""
        return self.came_back_at is not None

    @property
    def confidence_percent(self) -> int:
        """Confidence in whole percent; 99 at most, since nothing here is certain."""
        return min(round(100 * self.confidence), 99)


class IgnoredQuery(models.Model):
    """A query that nobody needs to be told about again."""

    normalized = models.CharField(_("normalised query"), max_length=500, unique=True)
    ignored_by = models.CharField(_("by"), max_length=150)
    ignored_at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        db_table = "ignored_queries"
        ordering = ["normalized"]
        verbose_name = _("ignored query")
        verbose_name_plural = _("ignored queries")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.normalized


class Baseline(models.Model):
    """What was usual when analytics opened; the dashboard compares with it."""

    metric = models.CharField(_("metric"), max_length=64, unique=True)
    value = models.FloatField(_("value"))
    window_days = models.PositiveSmallIntegerField(_("window (days)"))
    computed_at = models.DateTimeField(_("computed"), default=timezone.now)

    class Meta:
        db_table = "analytics_baselines"
        ordering = ["metric"]
        verbose_name = _("baseline")
        verbose_name_plural = _("baselines")
        default_permissions = ("view",)
        constraints = [models.CheckConstraint(name="analytics_baselines_window", condition=Q(window_days__gte=1))]

    def __str__(self) -> str:
        return f"{self.metric}: {self.value}"
