"""What readers keep of entries for themselves, and what they report about them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.entry import Entry


class EntryMark(models.Model):
    """A person's own marks on an entry: a favourite, and whether they watch it for changes."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="marks", verbose_name=_("entry"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    favourite = models.BooleanField(_("favourite"), default=False)
    watched = models.BooleanField(_("watched"), default=False)
    #: The version that the person has seen; a watched entry with a newer one is news.
    seen_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        db_table = "kb_entry_marks"
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["entry", "user"], name="kb_entry_marks_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.entry_id}"


class FlagReason(models.TextChoices):
    """What is wrong with an entry, in the words of a reader."""

    WRONG = "wrong", _("The advice is wrong")
    OUTDATED = "outdated", _("It is out of date")
    UNCLEAR = "unclear", _("I do not understand it")
    DUPLICATE = "duplicate", _("There is another entry for this")
    OTHER = "other", _("Something else")


class EntryFlag(models.Model):
    """A reader's report that an entry needs somebody's attention."""

    entry = models.ForeignKey(Entry, models.CASCADE, related_name="flags", verbose_name=_("entry"))
    reason = models.CharField(_("reason"), max_length=16, choices=FlagReason)
    comment = models.TextField(_("comment"), blank=True, validators=[MaxLengthValidator(2_000)])
    #: As in Feedback.voter.
    reporter = models.CharField(max_length=80)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    created_at = models.DateTimeField(_("reported"), default=timezone.now)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("settled by")
    )
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta:
        db_table = "kb_entry_flags"
        ordering = ["-created_at", "-id"]
        verbose_name = _("flag")
        verbose_name_plural = _("flags")
        indexes = [models.Index(fields=["settled_at", "-created_at"], name="kb_entry_flags_open")]

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.reason}"
