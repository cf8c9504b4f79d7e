"""The knowledge base: entries, tags, codes, feedback and search. This app is MVP1."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_delete
from django.utils.translation import gettext_lazy as _


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    verbose_name = _("Knowledge base")

    def ready(self) -> None:
        from knowledge.models import SearchDoc
        from knowledge.search.index import doc_forget
        from knowledge.search.rebuild import index_fill

        pre_delete.connect(doc_forget, sender=SearchDoc)
        post_migrate.connect(index_fill, sender=self)
