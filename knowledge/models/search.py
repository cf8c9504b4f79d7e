"""What people searched for, and the rows that the search index is built on."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.entry import Entry


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


class RowKeyField(models.BigIntegerField):  # type: ignore[type-arg]
    """A number by which SQLite finds a row without an index: only `integer` is the key of its own rows."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)


class SearchDoc(models.Model):
    """The analysed tokens of one entry by field, between blanks; the database's own index follows this row.

    Written only by knowledge.search.index. The FTS5 tables (SQLite) and the table of tsvectors (PostgreSQL)
    are made in a migration and kept in step by triggers, so a migration that makes SQLite rebuild this
    table has to make the triggers again.
    """

    #: Static rank: the status, then small means much used and proven. Equal on every database for equal entries.
    rank = RowKeyField(primary_key=True)
    entry = models.OneToOneField(Entry, models.CASCADE, related_name="search_doc")
    category = models.CharField(max_length=16)
    severity = models.CharField(max_length=16)
    status = models.CharField(max_length=16)
    #: `version` of the entry that was indexed.
    version = models.PositiveIntegerField()
    #: What a score is multiplied by for use, proven success and severity.
    merit = models.FloatField()
    #: The first codes as a list of results shows them, its own first, a line each.
    code_names = models.TextField()
    codes = models.TextField()
    title = models.TextField()
    tags = models.TextField()
    #: Tokens of category, severity, tags and codes, for filters; see knowledge.search.database.label.
    labels = models.TextField()
    #: The long ones are the last, so that a search need not read past them.
    problem = models.TextField()
    solution = models.TextField()

    class Meta:
        db_table = "kb_search_docs"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.rank} {self.entry_id}"


class SearchTerm(models.Model):
    """How many published entries hold a token: the sum over the rows of the term.

    Writers add rows of +1 and -1 and join those that nobody else holds, so that they never wait for
    one another. The empty term counts the entries. Written only by knowledge.search.terms.
    """

    term = models.CharField(max_length=64)
    df = models.IntegerField()

    class Meta:
        db_table = "kb_search_terms"
        default_permissions = ()
        indexes = [models.Index(fields=["term", "df"], name="kb_search_terms_term")]

    def __str__(self) -> str:
        return f"{self.term} {self.df}"


class SearchGram(models.Model):
    """A term with one letter left out, or none: two spellings that share a gram are a slip apart."""

    gram = models.CharField(max_length=64)
    term = models.CharField(max_length=64)

    class Meta:
        db_table = "kb_search_grams"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["gram", "term"], name="kb_search_grams_once")]

    def __str__(self) -> str:
        return f"{self.gram} {self.term}"


class PromotedResult(models.Model):
    """An entry that staff put first for a search."""

    #: The analysed tokens, as in SearchQuery.normalized.
    normalized = models.CharField(_("search"), max_length=500, db_index=True)
    query = models.CharField(_("as typed"), max_length=500)
    entry = models.ForeignKey(Entry, models.CASCADE, related_name="promotions", verbose_name=_("entry"))
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        db_table = "kb_promoted_results"
        ordering = ["normalized", "position", "id"]
        verbose_name = _("promoted result")
        verbose_name_plural = _("promoted results")
        constraints = [
            models.UniqueConstraint(fields=["normalized", "entry"], name="kb_promoted_results_once"),
        ]

    def __str__(self) -> str:
        return f"{self.query}: {self.entry_id}"
