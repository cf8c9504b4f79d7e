"""What readers say of an entry."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.entry import Entry


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
        indexes = [models.Index(fields=["created_at"], name="kb_feedback_created")]
        constraints = [
            models.UniqueConstraint(fields=["entry", "voter"], name="kb_feedback_one_vote"),
            models.CheckConstraint(
                name="kb_feedback_rating", condition=models.Q(rating__isnull=True) | models.Q(rating__range=(1, 5))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}: {'worked' if self.worked else 'did not work'}"
