"""Addresses of the site. A phase's own addresses come with its app."""

from importlib.util import find_spec

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from migrations_ops.phase import phases

phase_modules = [f"{apps.get_app_config(phase.app_label).name}.urls" for phase in phases()]

urlpatterns = [
    path("login/", auth_views.LoginView.as_view(), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("console/", include("migrations_ops.console.urls")),
    *(path("", include(module)) for module in phase_modules if find_spec(module)),
]

handler400 = "kbsite.failures.bad_request"
handler403 = "kbsite.failures.forbidden"
handler404 = "kbsite.failures.missing"
handler500 = "kbsite.failures.broken"
