"""Addresses of the reader pages."""

from django.urls import path

from knowledge.views import (
    assist,
    browse,
    editing,
    entry,
    following,
    history,
    home,
    logs,
    merging,
    results,
    reviews,
    theme,
    vocabulary,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("search/", results.search, name="search"),
    path("browse/", browse.browse, name="browse"),
    path("tags/", vocabulary.tags, name="tags"),
    path("codes/", vocabulary.codes, name="codes"),
    path("codes/<path:code>/", vocabulary.code, name="code"),
    path("logs/", logs.logs, name="logs"),
    path("logs/draft/", logs.log_draft, name="log_draft"),
    path("entries/new/", editing.create, name="entry_create"),
    path("entries/assist/", assist.assist, name="entry_assist"),
    path("entries/<uuid:pk>/", entry.entry, name="entry"),
    path("entries/<uuid:pk>/edit/", editing.edit, name="entry_edit"),
    path("entries/<uuid:pk>/delete/", editing.delete, name="entry_delete"),
    path("entries/<uuid:pk>/status/", editing.change_status, name="entry_status"),
    path("entries/<uuid:pk>/merge/", merging.merge, name="entry_merge"),
    path("entries/<uuid:pk>/review/", reviews.entry_review, name="entry_review"),
    path("entries/<uuid:pk>/vote/", entry.entry_vote, name="entry_vote"),
    path("reviews/", reviews.reviews, name="reviews"),
    path("drafts/", reviews.drafts, name="drafts"),
    path("entries/<uuid:pk>/mark/", following.entry_mark, name="entry_mark"),
    path("entries/<uuid:pk>/flag/", following.entry_flag, name="entry_flag"),
    path("mine/", following.mine, name="mine"),
    path("reports/", following.flags, name="flags"),
    path("reports/<int:flag>/settle/", following.settle, name="flag_settle"),
    path("entries/<uuid:pk>/history/", history.history, name="entry_history"),
    path("entries/<uuid:pk>/history/<int:version>/", history.version, name="entry_version"),
    path("entries/<uuid:pk>/compare/", history.compare, name="entry_compare"),
    path("entries/<uuid:pk>/restore/", history.restore, name="entry_restore"),
    # Names of actions stand above and have no hyphen; the readable end of an address has one.
    path("entries/<uuid:pk>/<slug:slug>/", entry.entry, name="entry_named"),
    path("theme/", theme.theme, name="theme"),
]
