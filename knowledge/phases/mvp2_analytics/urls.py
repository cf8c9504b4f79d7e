"""Addresses of analytics, all below /analytics/."""

from django.urls import include, path

from knowledge.phases.mvp2_analytics import views

patterns = [
    path("", views.dashboard, name="dashboard"),
    path("csv/<slug:table>/", views.table_csv, name="csv"),
    path("queries/ignore/", views.query_ignore, name="query-ignore"),
    path("queries/unignore/", views.query_unignore, name="query-unignore"),
    path("queries/alias/", views.alias_add, name="alias-add"),
    path("patterns/", views.pattern_list, name="patterns"),
    path("patterns/<int:pk>/", views.pattern_detail, name="pattern"),
    path("patterns/<int:pk>/<slug:action>/", views.pattern_change, name="pattern-change"),
]

urlpatterns = [path("analytics/", include((patterns, "analytics")))]
