"""Addresses of the reader pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [
    path("", home, name="home"),
    path("browse/", home, name="browse"),
    path("entries/<uuid:pk>/", home, name="entry"),
]
