"""Plugins: what they do is declared in code; here they are switched and configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from knowledge.errors import KnowledgeError
from knowledge.models import Plugin, PluginHealth
from knowledge.plugins import (
    configuration_problems,
    plugin_configure,
    plugin_disable,
    plugin_enable,
    plugin_health,
    plugin_spec,
)


class PluginForm(forms.ModelForm):  # type: ignore[type-arg]
    """The configuration of a plugin, checked against what the plugin declares."""

    class Meta:
        model = Plugin
        fields = ("configuration",)
        widgets = {"configuration": UnfoldAdminTextareaWidget}

    def clean_configuration(self) -> Any:
        configuration = self.cleaned_data["configuration"]
        if problems := configuration_problems(plugin_spec(self.instance.name), configuration):
            raise forms.ValidationError(problems)
        return configuration


@admin.register(Plugin)
class PluginAdmin(ModelAdmin):
    """State, health and configuration of each plugin."""

    form = PluginForm
    list_display = ("title", "phase_level", "state", "health_state", "run_count", "error_count", "last_run_at")
    fields = (
        "title",
        "enabled",
        "configuration",
        "health",
        "health_message",
        "health_checked_at",
        "run_count",
        "error_count",
        "last_run_at",
        "last_error",
    )
    readonly_fields = tuple(name for name in fields if name != "configuration")
    actions = ("enable", "disable", "check_health")

    @display(description=gettext_lazy("state"), label={"on": "success", "off": "info"})
    def state(self, plugin: Plugin) -> tuple[str, str]:
        return ("on", _("Enabled")) if plugin.enabled else ("off", _("Disabled"))

    @display(
        description=gettext_lazy("health"),
        label={PluginHealth.OK: "success", PluginHealth.WARN: "warning", PluginHealth.FAIL: "danger"},
    )
    def health_state(self, plugin: Plugin) -> tuple[str, str]:
        return plugin.health, plugin.get_health_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Plugin | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Plugin, form: Any, change: bool) -> None:
        plugin_configure(name=obj.name, configuration=form.cleaned_data["configuration"])

    @admin.action(description=gettext_lazy("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, plugins: QuerySet[Plugin]) -> None:
        self._each(request, plugins.order_by("phase_level", "pk"), plugin_enable, _("%(title)s is enabled."))

    @admin.action(description=gettext_lazy("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, plugins: QuerySet[Plugin]) -> None:
        self._each(request, plugins.order_by("-phase_level", "-pk"), plugin_disable, _("%(title)s is disabled."))

    @admin.action(description=gettext_lazy("Check health"), permissions=["view"])
    def check_health(self, request: HttpRequest, plugins: QuerySet[Plugin]) -> None:
        self._each(request, plugins, plugin_health, _("%(title)s was checked."))

    def _each(self, request: HttpRequest, plugins: QuerySet[Plugin], service: Callable[..., object], done: str) -> None:
        for plugin in plugins:
            try:
                service(name=plugin.name)
            except KnowledgeError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, done % {"title": plugin.title})
