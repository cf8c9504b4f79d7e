"""MVP1: the knowledge base itself."""

from django.utils.translation import gettext_lazy as _

from migrations_ops.phase import NavLink, Phase

PHASE = Phase(
    level=1,
    title=_("Knowledge base"),
    summary=_("Entries, tags, error codes, search, feedback, import and export."),
    app_label="knowledge",
    state_models=frozenset({"Plugin"}),
    opens=(_("Write, find and rate entries"), _("Import and export in the admin")),
    nav=(NavLink(title=_("Browse"), url_name="browse"),),
)
