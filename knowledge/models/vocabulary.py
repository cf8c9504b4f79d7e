"""Tags, error codes and the names that people type for them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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
