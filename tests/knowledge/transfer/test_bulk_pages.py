"""Bulk data in the console: from the file to the undo, by forms alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from knowledge.models import Entry, Import, ImportState
from migrations_ops import prechecks
from migrations_ops.models import Finding, FindingStatus, Run
from migrations_ops.runner import run_inline
from tests.knowledge.transfer.files import csv_text, row, xlsx_bytes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is alive; the test does its work."""
    alive = lambda plan, run=None: Finding(code="worker_alive", title="", status=FindingStatus.PASS, evidence="")  # noqa: E731
    monkeypatch.setattr(prechecks, "worker_alive", alive)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def person(client: Client, *codenames: str, is_staff: bool = True) -> Client:
    user = User.objects.create_user("eve", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def upload(client: Client, content: bytes, name: str = "old.csv") -> Any:
    return client.post(reverse("bulk_import_new"), {"file": SimpleUploadedFile(name, content)}, follow=True)


def worked(answer: Any) -> Run:
    """The run that a form has queued, done."""
    assert answer.status_code == 302, answer.content.decode()[:2000]
    return run_inline(int(answer.url.rstrip("/").rpartition("/")[2]))


def test_a_file_comes_in_is_mapped_previewed_imported_and_taken_back(staff: Client) -> None:
    rows = [row(number, overskrift=f"Headline {number}", category="Nowhere") for number in (1, 2)]
    for one in rows:
        del one["title"]
    page = upload(staff, csv_text(*rows, delimiter=";").encode("cp1252"))
    job = Import.objects.get()
    assert "Headline 1" in page.text  # an example of each column
    assert "semicolon" in page.text and "start-import" not in page.text
    address = reverse("bulk_import", args=[job.pk])
    fields = {"column": job.columns, "field": ["title" if name == "overskrift" else name for name in job.columns]}
    assert worked(staff.post(address, fields)).state == "succeeded"
    page = staff.get(address)
    assert "“Nowhere”" in page.text
    assert "start-import" not in page.text and "No row would be imported" in page.text and "<details open>" in page.text
    assert "Download the invalid rows" in page.text
    mapped = {**fields, "categories_word": ["Nowhere"], "categories": ["JCL"]}
    worked(staff.post(address, mapped))
    assert "start-import" in staff.get(address).text
    listed = staff.get(reverse("bulk_import_rows", args=[job.pk]) + "?verdict=new").text
    assert "Headline 2" in listed
    assert "No such rows" in staff.get(reverse("bulk_import_rows", args=[job.pk]) + "?verdict=same").text
    worked(staff.post(reverse("bulk_import_start", args=[job.pk])))
    assert set(Entry.objects.values_list("title", "category")) == {("Headline 1", "JCL"), ("Headline 2", "JCL")}
    undo = reverse("bulk_import_undo", args=[job.pk])
    said = staff.get(undo).text
    assert "2 entries that the import added are removed" in said and "the import changed" not in said
    worked(staff.post(undo, {"confirmation": f"UNDO {job.pk}", "reason": "wrong file"}))
    job.refresh_from_db()
    assert (job.state, Entry.objects.count()) == (ImportState.UNDONE, 0)
    again = upload(staff, csv_text(*rows, delimiter=";").encode("cp1252"))
    assert Import.objects.first().options["columns"] == {"overskrift": "title"}  # type: ignore[union-attr]
    assert again.status_code == 200


def test_choices_stay_while_a_run_holds_the_site(staff: Client) -> None:
    upload(staff, csv_text(row()).encode())
    job = Import.objects.get()
    worked(staff.post(reverse("bulk_import", args=[job.pk]), {}))
    before = Import.objects.values("options", "preview").get()
    staff.post(reverse("bulk_import_start", args=[job.pk]))

    late = staff.post(reverse("bulk_import", args=[job.pk]), {"existing": "keep"})

    assert late.status_code == 422 and "holds the site" in late.text
    assert Import.objects.values("options", "preview").get() == before


def test_rows_that_failed_come_back_as_a_file(staff: Client) -> None:
    upload(staff, csv_text(row(), row(2, problem="")).encode())
    job = Import.objects.get()
    worked(staff.post(reverse("bulk_import", args=[job.pk]), {}))
    worked(staff.post(reverse("bulk_import_start", args=[job.pk])))
    answer = staff.get(reverse("bulk_import_failed", args=[job.pk]))
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert b"S0C7 in run 2" in content and b"problem: empty; it needs 10 to" in content
    assert "1 entry that the import added is removed" in staff.get(reverse("bulk_import_undo", args=[job.pk])).text
    assert "failed-rows" in staff.get(reverse("bulk_import", args=[job.pk])).text


def test_a_broken_file_is_refused_on_the_form_and_leaves_nothing(staff: Client) -> None:
    page = upload(staff, b"%PDF-1.7")
    assert (page.status_code, Import.objects.count()) == (422, 0)
    assert "it is a PDF" in page.text
    assert "none was sent" in staff.post(reverse("bulk_import_new"), {}).text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("old.xlsx", csv_text(row()).encode(), "text, and is read as CSV"),
        ("old.csv", xlsx_bytes(list(row()), list(row().values())), "a workbook, and is read as XLSX"),
        ("old.CSV", csv_text(row()).encode(), ""),
        ("old.txt", csv_text(row()).encode(), ""),
        ("old.json", b'{"title": "a"}\n{"title": "b"}\n', ""),
    ],
)
def test_a_file_whose_name_promises_another_content_says_what_it_is_read_as(
    staff: Client, name: str, content: bytes, said: str
) -> None:
    page = upload(staff, content, name)
    assert page.status_code == 200
    assert ('id="read-as"' in page.text, said in page.text) == (bool(said), True)


def test_a_file_of_which_nothing_was_imported_can_be_removed(staff: Client) -> None:
    upload(staff, csv_text(row()).encode())
    staff.post(reverse("bulk_import_remove", args=[Import.objects.get().pk]))
    assert not Import.objects.exists()


def test_an_export_is_downloaded_with_its_sum_and_removed(staff: Client) -> None:
    run = worked(staff.post(reverse("bulk_export_new"), {"format": "csv", "statuses": ["published"]}))
    content = b"".join(staff.get(reverse("bulk_export_file", args=[run.pk])).streaming_content)  # type: ignore[attr-defined]
    assert hashlib.sha256(content).hexdigest() in staff.get(reverse("bulk")).text
    staff.post(reverse("bulk_export_remove", args=[run.pk]))
    assert staff.get(reverse("bulk_export_file", args=[run.pk])).status_code == 404


@pytest.mark.parametrize("fields", [{"format": "exe"}, {"format": "csv", "since": "yesterday"}])
def test_a_wrong_choice_of_an_export_is_said_on_the_form(staff: Client, fields: dict[str, str]) -> None:
    answer = staff.post(reverse("bulk_export_new"), fields)
    assert (answer.status_code, Run.objects.count()) == (422, 0)
    assert "The export was not made" in answer.text


def test_pages_are_for_those_who_may(client: Client) -> None:
    assert client.get(reverse("bulk")).status_code == 302
    exporter = person(client, "run_export")
    page = exporter.get(reverse("bulk"))
    assert "new-export" in page.text and "new-import" not in page.text
    assert exporter.get(reverse("bulk_import_new")).status_code == 403
    assert exporter.get(reverse("bulk_import_undo", args=[1])).status_code == 403
    User.objects.update(is_staff=False)
    assert exporter.get(reverse("bulk")).status_code == 403


def test_what_is_not_there_is_not_found(staff: Client, tmp_path: Path) -> None:
    names = ("bulk_import", "bulk_import_rows", "bulk_import_failed", "bulk_import_undo", "bulk_export_file")
    assert {staff.get(reverse(name, args=[4711])).status_code for name in names} == {404}
    upload(staff, csv_text(row()).encode())
    number = Import.objects.get().pk
    assert staff.get(reverse("bulk_import_rows", args=[number]) + "?from=x").status_code == 404
