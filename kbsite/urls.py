"""Addresses of the site. A phase's own addresses come with its app."""

from importlib.util import find_spec

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path

from kbsite.accounts import OwnPasswordView, PatientLoginView
from migrations_ops.phase import phases

phase_modules = [f"{apps.get_app_config(phase.app_label).name}.urls" for phase in phases()]


def favicon(request: HttpRequest) -> HttpResponse:
    """The icon, for pages that do not name it."""
    return HttpResponseRedirect(static("knowledge/icon.svg"))


urlpatterns = [
    path("login/", PatientLoginView.as_view(), name="login"),
    path("password/", OwnPasswordView.as_view(), name="password"),
    # Asked for by every browser that shows a page of somebody else's making: the admin's, a file, JSON.
    path("favicon.ico", favicon),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("console/", include("migrations_ops.console.urls")),
    *(path("", include(module)) for module in phase_modules if find_spec(module)),
]

handler400 = "kbsite.failures.bad_request"
handler403 = "kbsite.failures.forbidden"
handler404 = "kbsite.failures.missing"
handler500 = "kbsite.failures.broken"
