"""Addresses of the reader pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from knowledge.views.theme import theme


def home(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return render(request, "base.html")


urlpatterns = [
    path("", home, name="home"),
    path("search/", home, name="search"),
    path("browse/", home, name="browse"),
    path("tags/", home, name="tags"),
    path("codes/", home, name="codes"),
    path("codes/<path:code>/", home, name="code"),
    path("entries/new/", home, name="entry_create"),
    path("entries/<uuid:pk>/", home, name="entry"),
    path("entries/<uuid:pk>/edit/", home, name="entry_edit"),
    path("entries/<uuid:pk>/delete/", home, name="entry_delete"),
    path("entries/<uuid:pk>/status/", home, name="entry_status"),
    path("entries/<uuid:pk>/vote/", home, name="entry_vote"),
    path("theme/", theme, name="theme"),
]
