"""Entries in the admin: written, published and deleted through the services; import and export."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export.admin import ImportExportModelAdmin
from import_export.results import Result
from import_export.tmp_storages import CacheStorage
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from knowledge.entries import entry_archive, entry_create, entry_delete, entry_publish, entry_update
from knowledge.errors import KnowledgeError
from knowledge.formats import EXCHANGE_FORMATS
from knowledge.forms import CODE_CHARS, ListedField
from knowledge.labels import TAG_CHARS
from knowledge.models import Entry, Severity
from knowledge.resources import WRITTEN, EntryResource, invalid_rows_printed

REASONS_SHOWN = 10


class EntryAdminForm(forms.ModelForm):  # type: ignore[type-arg]
    """An entry with its tags and codes as lists. It checks; knowledge.entries writes."""

    tag_names = ListedField(
        label=gettext_lazy("Tags"),
        word_chars=TAG_CHARS,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Separated by commas."),
    )
    code_names = ListedField(
        label=gettext_lazy("Codes"),
        word_chars=CODE_CHARS,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Separated by commas, the entry's own code first."),
    )
    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Entry
        fields = WRITTEN
        widgets = {
            "problem": UnfoldAdminTextareaWidget(attrs={"rows": 10}),
            "solution": UnfoldAdminTextareaWidget(attrs={"rows": 24}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            links = self.instance.entrycode_set.select_related("error_code").order_by("position")
            self.initial.setdefault("tag_names", [tag.name for tag in self.instance.tags.all()])
            self.initial.setdefault("code_names", [link.error_code.code for link in links])
            self.initial["seen_version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance._state.adding and values.get("seen_version") != self._saved_version():
            raise forms.ValidationError(
                _("Someone else saved this entry while you were writing. Open it again in another tab and compare.")
            )
        return values

    def _saved_version(self) -> int | None:
        return Entry.objects.filter(pk=self.instance.pk).values_list("version", flat=True).first()

    def facts(self) -> dict[str, Any]:
        """The cleaned values as the services of knowledge.entries take them."""
        values = {name: self.cleaned_data[name] for name in WRITTEN if name in self.cleaned_data}
        return {**values, "tags": self.cleaned_data["tag_names"], "codes": self.cleaned_data["code_names"]}


class EntryImportForm(ImportForm):
    """The upload, refused before anything is parsed when it is too large."""

    def clean_import_file(self) -> UploadedFile[Any]:
        upload: UploadedFile[Any] = self.cleaned_data["import_file"]
        most = settings.ADMIN_IMPORT_MAX_BYTES
        if (upload.size or 0) > most:
            sizes = {"size": filesizeformat(upload.size or 0), "most": filesizeformat(most)}
            raise forms.ValidationError(
                _("The file has %(size)s; an import here takes at most %(most)s. Split the file.") % sizes
            )
        return upload


@admin.register(Entry)
class EntryAdmin(ModelAdmin, ImportExportModelAdmin):
    """Entries: every write goes through knowledge.entries, so HTML, codes and index stay right."""

    form = EntryAdminForm
    warn_unsaved_form = True
    resource_classes = (EntryResource,)
    import_form_class = EntryImportForm
    export_form_class = ExportForm
    tmp_storage_class = CacheStorage
    list_display = (
        "title", "category", "severity_label", "status_label", "usage_count", "success", "updated_at",
    )  # fmt: skip
    list_filter = ("status", "category", "severity", "origin", "updated_at")
    search_fields = ("title", "codes__code", "tags__name", "problem")
    show_full_result_count = False
    list_per_page = 50
    actions = ("publish", "archive")
    readonly_fields = (
        "origin", "usage_count", "success_count", "failure_count", "last_used_at", "created_by", "created_at",
        "updated_by", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("title", "category", "severity", "status", "problem", "solution")}),
        (gettext_lazy("Found by"), {"fields": ("code_names", "tag_names", "seen_version")}),
        (
            gettext_lazy("Use"),
            {
                "fields": (
                    "usage_count",
                    "success_count",
                    "failure_count",
                    "last_used_at",
                    "origin",
                    "created_by",
                    "created_at",
                    "updated_by",
                    "updated_at",
                ),
                "classes": ("collapse",),
            },
        ),
    )

    @display(
        description=gettext_lazy("severity"),
        ordering="severity",
        label={Severity.CRITICAL: "danger", Severity.HIGH: "warning", Severity.MEDIUM: "info"},
    )
    def severity_label(self, entry: Entry) -> tuple[str, str]:
        return entry.severity, entry.get_severity_display()

    @display(description=gettext_lazy("status"), ordering="status", label={"published": "success", "draft": "warning"})
    def status_label(self, entry: Entry) -> tuple[str, str]:
        return entry.status, entry.get_status_display()

    @display(description=gettext_lazy("worked"))
    def success(self, entry: Entry) -> str:
        return f"{entry.success_percent} %" if entry.votes else "–"

    # Writing ----------------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Entry | None = None) -> tuple[str, ...]:
        publishes = request.user.has_perm("knowledge.publish_entry")
        return self.readonly_fields if publishes else (*self.readonly_fields, "status")

    def save_model(self, request: HttpRequest, obj: Entry, form: Any, change: bool) -> None:
        author = cast(User, request.user)
        if change:
            entry_update(entry=obj, expected_version=form.cleaned_data["seen_version"], author=author, **form.facts())
        else:
            entry_create(id=obj.pk, author=author, **form.facts())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: the services have written tags and codes."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """What goes with the entries. Their votes, versions and reviews are journals that nobody deletes by
        hand, so only the permission to delete entries is asked for."""
        listed, counts, missing, protected = super().get_deleted_objects(objs, request)
        return listed, counts, missing & {str(self.opts.verbose_name)}, protected

    def delete_model(self, request: HttpRequest, obj: Entry) -> None:
        entry_delete(entry=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        for entry in queryset:
            entry_delete(entry=entry)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form. What a service refuses at the last moment becomes a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]
        except KnowledgeError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Whether the actions are offered."""
        return request.user.has_perm("knowledge.publish_entry")

    @admin.action(description=gettext_lazy("Publish"), permissions=["publish"])
    def publish(self, request: HttpRequest, entries: QuerySet[Entry]) -> None:
        for entry in entries:
            entry_publish(entry=entry, author=cast(User, request.user))
        self._say(request, len(entries), "published")

    @admin.action(description=gettext_lazy("Archive"), permissions=["publish"])
    def archive(self, request: HttpRequest, entries: QuerySet[Entry]) -> None:
        for entry in entries:
            entry_archive(entry=entry, author=cast(User, request.user))
        self._say(request, len(entries), "archived")

    def _say(self, request: HttpRequest, count: int, done: str) -> None:
        printed = {
            "published": ngettext("%(count)s entry published.", "%(count)s entries published.", count),
            "archived": ngettext("%(count)s entry archived.", "%(count)s entries archived.", count),
        }
        messages.success(request, printed[done] % {"count": count})

    # Import and export ------------------------------------------------------------------------

    def get_import_formats(self) -> list[Any]:
        return EXCHANGE_FORMATS

    def get_export_formats(self) -> list[Any]:
        return EXCHANGE_FORMATS

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Who imports, and which upload: a preview and the import that follows it have one name."""
        values = getattr(kwargs.get("form"), "cleaned_data", {})
        name = values.get("import_file_name") or getattr(values.get("import_file"), "tmp_storage_name", "")
        return {"user": request.user, "shown_key": f"entries-shown-{name}" if name else ""}

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        """Why the file cannot be read; in our words where we know."""
        if isinstance(e, KnowledgeError):
            form.add_error("import_file", str(e))
        else:
            super().add_data_read_fail_error_to_form(form, e)

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponse:
        """The list of entries, with what was imported and why other rows were not."""
        response: HttpResponse = super().process_result(result, request)
        for line in invalid_rows_printed(result, REASONS_SHOWN):
            messages.error(request, line)
        return response

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The confirmed import; an upload that has expired is asked for again."""
        name = request.POST.get("import_file_name", "")
        if request.method == "POST" and CacheStorage(name=name).read() is None:
            messages.error(request, _("The uploaded file is no longer here. Choose it again."))
            return HttpResponseRedirect(reverse("admin:knowledge_entry_import"))
        return super().process_import(request, **kwargs)  # type: ignore[no-any-return]
