"""Plugins and settings: what staff switch and change while the site runs."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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
