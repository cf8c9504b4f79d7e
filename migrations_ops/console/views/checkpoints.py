"""Checkpoints: make, prove, download, keep, restore, clear away."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from migrations_ops.checkpoints import (
    checkpoint_create,
    checkpoint_delete,
    checkpoint_path,
    checkpoint_protect,
    checkpoint_verify,
    checkpoints_surplus,
    checkpoints_trim,
)
from migrations_ops.console.access import actor, console_page, permitted, require
from migrations_ops.console.answers import done, page_of, query_without_page
from migrations_ops.console.confirming import Prompt, confirm
from migrations_ops.console.present.checkpoints import checkpoint_context, checkpoint_row, unfit_reason
from migrations_ops.console.present.quantities import size_text
from migrations_ops.errors import CheckpointMissingError, CheckpointNotFoundError
from migrations_ops.models import Checkpoint, CheckpointState
from migrations_ops.planning import restore_plan_create
from migrations_ops.reports import checkpoint_report, plan_report

LABEL_MAX = Checkpoint._meta.get_field("label").max_length or 200


def checkpoint_of(pk: UUID) -> Checkpoint:
    """The checkpoint of an address, deleted ones too. Raises CheckpointNotFoundError."""
    checkpoint = Checkpoint.objects.filter(pk=pk).first()
    if checkpoint is None:
        raise CheckpointNotFoundError(checkpoint=pk)
    return checkpoint


def checkpoint_present(pk: UUID) -> Checkpoint:
    """The checkpoint of an address whose file was not deleted. Raises CheckpointNotFoundError."""
    checkpoint = checkpoint_of(pk)
    if checkpoint.state == CheckpointState.DELETED:
        raise CheckpointNotFoundError(checkpoint=pk)
    return checkpoint


def _url(checkpoint: Checkpoint) -> str:
    return reverse("console:checkpoint", args=[checkpoint.pk])


@require_safe
@console_page
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    """Checkpoints with their proofs, newest first."""
    deleted = request.GET.get("deleted") == "1"
    rows = Checkpoint.objects.all() if deleted else Checkpoint.objects.exclude(state=CheckpointState.DELETED)
    page = page_of(request, rows)
    context = {
        "page": page,
        "rows": [checkpoint_row(checkpoint) for checkpoint in page],
        "deleted": deleted,
        "deleted_count": Checkpoint.objects.filter(state=CheckpointState.DELETED).count(),
        "query": query_without_page(request),
        "keep": settings.OPS_CHECKPOINTS_KEPT,
        "surplus": len(checkpoints_surplus(keep=settings.OPS_CHECKPOINTS_KEPT)),
        "label_max": LABEL_MAX,
        "may_create": permitted(request.user, "create_checkpoint"),
        "may_delete": permitted(request.user, "delete_checkpoint"),
    }
    return render(request, "migrations_ops/checkpoint_list.html", context)


@require_safe
@console_page
def checkpoint_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One checkpoint with its manifest."""
    names = ("verify", "download", "restore", "delete")
    context = {
        **checkpoint_context(checkpoint_of(pk)),
        **{f"may_{name}": permitted(request.user, f"{name}_checkpoint") for name in names},
    }
    return render(request, "migrations_ops/checkpoint.html", context)


@require_safe
@console_page
def checkpoint_json(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same as data."""
    checkpoint = checkpoint_of(pk)
    return JsonResponse({**checkpoint_report(checkpoint), "manifest": checkpoint.manifest})


@require_POST
@console_page
def create(request: HttpRequest) -> HttpResponse:
    """Make a checkpoint and read it back at once."""
    require(request, "create_checkpoint")
    name = actor(request)
    label = request.POST.get("label", "").strip()[:LABEL_MAX] or _("Made by %(name)s") % {"name": name}
    checkpoint = checkpoint_verify(checkpoint=checkpoint_create(label=label, actor=name))
    message = _("Checkpoint made and read back: every row is in it.")
    return done(request, url=_url(checkpoint), message=message, report=checkpoint_report(checkpoint), status=201)


@require_POST
@console_page
def verify(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Read the whole file again and compare."""
    require(request, "verify_checkpoint")
    checkpoint = checkpoint_verify(checkpoint=checkpoint_present(pk))
    message = _("Verified: the file and every row in it are as recorded.")
    return done(request, url=_url(checkpoint), message=message, report=checkpoint_report(checkpoint))


@require_safe
@console_page
def download(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The file, streamed. It holds every entry: the permission is one of its own."""
    require(request, "download_checkpoint")
    checkpoint = checkpoint_present(pk)
    path = checkpoint_path(checkpoint)
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise CheckpointMissingError(checkpoint=checkpoint.pk, path=path.name) from error
    name = f"kb-mvp{checkpoint.level}-{checkpoint.created_at:%Y%m%d-%H%M%S}-{checkpoint.pk.hex[:8]}.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


@require_POST
@console_page
def protect(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep it out of retention."""
    return _protection(request, pk, True, _("Protected: retention leaves it alone."))


@require_POST
@console_page
def unprotect(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give it back to retention."""
    return _protection(request, pk, False, _("No longer protected."))


def _protection(request: HttpRequest, pk: UUID, protected: bool, message: str) -> HttpResponse:
    require(request, "delete_checkpoint")
    checkpoint = checkpoint_present(pk)
    checkpoint_protect(checkpoint=checkpoint, protected=protected, actor=actor(request))
    checkpoint.refresh_from_db()
    return done(request, url=_url(checkpoint), message=message, report=checkpoint_report(checkpoint))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is lost, and on POST the deletion."""
    require(request, "delete_checkpoint")
    checkpoint = checkpoint_present(pk)
    row = checkpoint_row(checkpoint)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        checkpoint_delete(checkpoint=checkpoint, actor=actor(request), reason=reason)
        checkpoint.refresh_from_db()
        message = _("Deleted: %(label)s.") % {"label": checkpoint.label}
        return done(request, url=reverse("console:checkpoints"), message=message, report=checkpoint_report(checkpoint))

    consequences = [_("The file is deleted for good; its record stays as history.")]
    if row["parked"]:
        consequences.append(_("These are the rows that a rollback parked. The next upgrade could not bring them back."))
    prompt = Prompt(
        title=_("Delete the checkpoint %(label)s") % {"label": checkpoint.label},
        button=_("Delete the file"),
        back_url=_url(checkpoint),
        consequences=consequences,
        facts=_facts(checkpoint),
        expected=f"DELETE {row['short']}",
        danger=True,
        crumbs=_crumbs(checkpoint),
    )
    return confirm(request, prompt, carry_out)


def _crumbs(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    return [(_("Checkpoints"), reverse("console:checkpoints")), (checkpoint.label, _url(checkpoint))]


def _facts(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    row = checkpoint_row(checkpoint)
    return [
        (_("Made"), _("%(age)s by %(name)s") % {"age": row["age"], "name": checkpoint.created_by}),
        (_("Level"), f"MVP{checkpoint.level}"),
        (_("Rows"), row["rows"]),
        (_("Size"), row["size"]),
        (_("Proof"), str(row["proof"].label)),
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def trim(request: HttpRequest) -> HttpResponse:
    """Which checkpoints retention would delete, and on POST their deletion."""
    require(request, "delete_checkpoint")
    keep = settings.OPS_CHECKPOINTS_KEPT
    surplus = checkpoints_surplus(keep=keep)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        gone = checkpoints_trim(keep=keep, actor=actor(request), reason=reason)
        message = _("Deleted %(n)d checkpoint(s).") % {"n": len(gone)}
        report = {"deleted": [str(checkpoint.pk) for checkpoint in gone]}
        return done(request, url=reverse("console:checkpoints"), message=message, report=report)

    prompt = Prompt(
        title=_("Trim checkpoints"),
        button=_("Delete these files"),
        back_url=reverse("console:checkpoints"),
        consequences=[
            _("The newest %(n)d whole checkpoints stay; older ones are deleted for good.") % {"n": keep},
            _("Protected ones, parked rows and those of an unfinished run stay and do not count."),
        ],
        operations=[
            (f"{row.created_at:%Y-%m-%d %H:%M}", f"{row.label} (MVP{row.level}, {size_text(row.size_bytes)})")
            for row in surplus
        ],
        operations_title=_("What is deleted"),
        expected="TRIM",
        danger=True,
        impossible="" if surplus else _("There is nothing to delete."),
        crumbs=[(_("Checkpoints"), reverse("console:checkpoints"))],
    )
    return confirm(request, prompt, carry_out)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What a restore is, and on POST its plan; nothing is restored before that plan is started."""
    require(request, "restore_checkpoint")
    checkpoint = checkpoint_present(pk)

    def carry_out(confirmation: str, reason: str) -> HttpResponse:
        plan = restore_plan_create(checkpoint_id=str(checkpoint.pk), actor=actor(request))
        message = _("Plan %(plan)d is made. Nothing has been changed yet.") % {"plan": plan.pk}
        url = reverse("console:plan", args=[plan.pk])
        return done(request, url=url, message=message, report=plan_report(plan), status=201)

    prompt = Prompt(
        title=_("Restore the checkpoint %(label)s") % {"label": checkpoint.label},
        button=_("Plan the restore"),
        back_url=_url(checkpoint),
        consequences=[
            _("A plan is made and checked first; the site stays as it is until you start that plan."),
            _("The run makes a checkpoint of the site as it is, then replaces every row by what this one holds."),
            _("Accounts, passwords, the journal and the queue stay as they are."),
        ],
        facts=_facts(checkpoint),
        asks_reason=False,
        impossible=unfit_reason(checkpoint),
        crumbs=_crumbs(checkpoint),
    )
    return confirm(request, prompt, carry_out)
