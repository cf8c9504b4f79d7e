"""MVP2: what the searches and the feedback of the knowledge base tell."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "knowledge.phases.mvp2_analytics"
    label = "analytics"
    verbose_name = _("Analytics")

    def ready(self) -> None:
        from knowledge.phases.mvp2_analytics import signals

        signals.connect()
