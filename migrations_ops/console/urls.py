"""Addresses of the console, all below /console/."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

app_name = "console"


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("console")


urlpatterns = [path("", home, name="home")]
