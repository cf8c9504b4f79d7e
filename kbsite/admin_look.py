"""How the admin looks: its name, its colours, its sidebar."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _admin_link(title: Any, icon: str, model: str) -> dict[str, Any]:
    """A line of the admin's sidebar for those who may see the model ("app_model")."""
    app, _sep, name = model.partition("_")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


UNFOLD = {
    "SITE_TITLE": _("Mainframe knowledge base"),
    "SITE_HEADER": _("Mainframe KB"),
    "SITE_URL": reverse_lazy("home"),
    "SITE_SYMBOL": "terminal",
    "LOGIN": {"form": "kbsite.accounts.AdminLoginForm"},
    # The accent of knowledge/static/knowledge/kb.css in eleven steps.
    "COLORS": {
        "primary": {
            step: f"oklch({lightness}% {chroma} 207)"
            for step, lightness, chroma in (
                ("50", 97.5, 0.012),
                ("100", 94, 0.028),
                ("200", 88.5, 0.05),
                ("300", 80, 0.075),
                ("400", 70, 0.09),
                ("500", 58, 0.085),
                ("600", 46, 0.075),
                ("700", 40, 0.066),
                ("800", 34, 0.055),
                ("900", 29, 0.045),
                ("950", 21, 0.035),
            )
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": _("Knowledge"),
                "items": [
                    _admin_link(_("Entries"), "article", "knowledge_entry"),
                    _admin_link(_("Tags"), "sell", "knowledge_tag"),
                    _admin_link(_("Error codes"), "tag", "knowledge_errorcode"),
                    _admin_link(_("Promoted results"), "push_pin", "knowledge_promotedresult"),
                    _admin_link(_("Feedback"), "thumbs_up_down", "knowledge_feedback"),
                    _admin_link(_("Search history"), "manage_search", "knowledge_searchquery"),
                ],
            },
            {
                "title": _("Operations"),
                "items": [
                    {"title": _("Console"), "icon": "deployed_code_update", "link": reverse_lazy("console:home")},
                    _admin_link(_("Plugins"), "extension", "knowledge_plugin"),
                    _admin_link(_("Settings"), "tune", "knowledge_setting"),
                    _admin_link(_("Schedules"), "schedule", "django_q_schedule"),
                    _admin_link(_("Failed tasks"), "error", "django_q_failure"),
                ],
            },
            {
                "title": _("Accounts"),
                "items": [
                    _admin_link(_("People"), "person", "auth_user"),
                    _admin_link(_("Groups"), "group", "auth_group"),
                    _admin_link(_("API tokens"), "key", "knowledge_apitoken"),
                ],
            },
        ],
        "show_all_applications": True,
    },
}
