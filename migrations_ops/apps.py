"""The engine that moves a site from one level to another; it knows no phase by name."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MigrationsOpsConfig(AppConfig):
    name = "migrations_ops"
    verbose_name = _("Operations")
