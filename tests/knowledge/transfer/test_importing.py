"""Rows become entries: each with its verdict, all of them as if they had been written one by one."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection

from knowledge.entries import entry_create, entry_delete, entry_update
from knowledge.errors import ImportOptionError, ImportRefusedError, ImportStateError, ImportUnreadableError
from knowledge.models import (
    Category,
    Entry,
    EntryAddress,
    EntryOrigin,
    EntryRevision,
    EntryStatus,
    Feedback,
    Import,
    ImportedRow,
    ImportState,
    SearchDoc,
    Tag,
    Validation,
)
from knowledge.reviews import review_validate
from knowledge.search import entry_search, index_check
from knowledge.transfer import importing
from knowledge.transfer.files import import_folder
from knowledge.transfer.jobs import import_create, rows_kept
from knowledge.transfer.options import ImportOptions
from knowledge.transfer.reports import verdicts_read
from migrations_ops.archive import manifest_differences, tables_manifest
from migrations_ops.phase import phase_at
from tests.knowledge.builders import entry_built
from tests.knowledge.page_builders import a_person
from tests.knowledge.transfer.files import csv_file, json_file, row, written
from tests.knowledge.transfer.inline import import_preview, import_run, import_take_back

pytestmark = pytest.mark.django_db


def brought(path: Path, user: User | None = None, **options: Any) -> Import:
    return import_create(path=path, options=ImportOptions(**options), actor="ada", user=user)


def imported(path: Path, user: User | None = None, **options: Any) -> Import:
    return import_run(brought(path, user, **options))


def numbers(job: Import) -> dict[str, int]:
    found: dict[str, int] = job.report["sections"].get("entries", {})
    return found


def verdicts(job: Import) -> list[dict[str, Any]]:
    return verdicts_read(import_folder(job) / "verdicts.jsonl", limit=10_000)[0]


def site() -> dict[str, Any]:
    return tables_manifest(phase_at(1).models())


def unchanged(before: dict[str, Any]) -> list[str]:
    return manifest_differences(before, site())


def facts(entry: Entry) -> dict[str, Any]:
    left_out = {"id", "created_at", "updated_at", "created_by_id", "updated_by_id", "origin"}
    values = {one.attname: getattr(entry, one.attname) for one in Entry._meta.concrete_fields}
    codes = list(entry.entrycode_set.order_by("position").values_list("error_code__code", "error_code__kind"))
    doc = SearchDoc.objects.filter(entry=entry).values("codes", "title", "tags", "problem", "solution", "merit").get()
    tags = sorted(entry.tags.values_list("name", flat=True))
    return {
        **{name: value for name, value in values.items() if name not in left_out},
        **doc,
        "names": tags,
        "found": codes,
    }


def test_an_imported_entry_is_as_one_that_was_written(tmp_path: Path) -> None:
    given = row(
        problem="* S0C7 and SQLCODE = -803\r\n* `IEF450I`",
        solution="# Fix\n\n```jcl\n//A JOB\n```\n<script>alert(1)</script>",
        codes="u4038, my own",
    )
    imported(csv_file(tmp_path, given))
    ours = Entry.objects.get()
    values = {name: value for name, value in given.items() if name not in {"tags", "codes"}}
    written_one = entry_create(
        **values, tags=given["tags"].split(","), codes=given["codes"].split(","), status=EntryStatus.PUBLISHED
    )
    assert facts(ours) == facts(written_one)
    assert ours.origin == EntryOrigin.IMPORT
    assert index_check().ok


def test_a_changed_entry_is_as_one_that_was_edited(tmp_path: Path) -> None:
    texts = {"title": "Old title here", "problem": "It ends with S0C4.", "tags": ["a", "b"], "codes": ["S0C4", "U1000"]}
    one, other = entry_built(**texts), entry_built(**texts)
    change = {"title": "New title now", "problem": "It ends with S0C1.", "tags": ["b", "c"]}
    entry_update(entry=other, expected_version=1, author=None, **change)
    job = imported(json_file(tmp_path, [{"id": str(one.pk), **change}]))
    one.refresh_from_db()
    other.refresh_from_db()
    assert numbers(job) == {"changed": 1}
    assert facts(one) == facts(other)
    versions = [
        list(e.revisions.order_by("version").values_list("version", "title", "tags", "codes")) for e in (one, other)
    ]
    assert versions[0] == versions[1]
    assert index_check().ok
    assert entry_search("S0C1").total >= 2


def test_every_row_has_a_verdict_and_the_preview_writes_nothing(tmp_path: Path) -> None:
    there = entry_built(title="There already", problem="The step ends early.", tags=["x"])
    same = {"id": str(there.pk), "title": there.title, "problem": there.problem, "tags": "X"}
    path = json_file(
        tmp_path,
        [
            row(),
            {**same},
            row(title="there  ALREADY!", problem="the step ends early"),
            row(problem="short"),
            row(),
            row(2, category="Nonsense"),
            {"id": str(uuid4()), "title": "Only a title"},
            "no object",
        ],
    )
    job, before = brought(path), site()
    import_preview(job)
    assert unchanged(before) == []
    found = verdicts(job)
    assert [one["verdict"] for one in found] == [
        *("new", "same", "duplicate", "invalid", "duplicate", "invalid", "invalid", "invalid")
    ]
    assert str(there.pk) in found[2]["reason"]
    assert "row 1" in found[4]["reason"]
    assert "Nonsense" in found[5]["reason"]
    assert "problem" in found[6]["reason"]
    assert job.preview["unknown"] == {"category": {"Nonsense": 1, "": 1}}
    import_run(job)
    assert job.report["sections"] == job.preview["sections"]
    assert job.state == ImportState.DONE
    assert Entry.objects.count() == 2


def test_a_change_is_shown_field_by_field(tmp_path: Path) -> None:
    entry = entry_built(solution="x" * 200 + " old end", tags=["a"], codes=["S0C4"])
    change = {
        "id": entry.pk.hex,
        "solution": "x" * 200 + " new end",
        "severity": "P1",
        "tags": ["a", "b"],
        "codes": "S0C7",
    }
    job = brought(json_file(tmp_path, [change]))
    import_preview(job)
    diff = {name: (old, new) for name, old, new in verdicts(job)[0]["diff"]}
    assert diff["severity"] == ("medium", "critical")
    assert diff["tags"] == ("a", "a, b")
    assert diff["codes"] == ("S0C4", "S0C7")
    assert diff["solution"] == ("…" + "x" * 29 + " old end", "…" + "x" * 29 + " new end")


@pytest.mark.parametrize("on_error", ["go_on", "stop"])
def test_what_people_edit_after_the_preview_is_not_overwritten(tmp_path: Path, on_error: str) -> None:
    shown, edited, deleted = (entry_built(title=f"Entry {n}", problem=f"Step {n} ends early.") for n in range(3))
    new = uuid4()
    rows = [{"id": str(pk), "title": "From the file"} for pk in (shown.pk, edited.pk, deleted.pk)]
    job = brought(json_file(tmp_path, [*rows, row(id=str(new))]), on_error=on_error)
    import_preview(job)
    entry_update(entry=edited, expected_version=1, author=None, solution="What somebody found out meanwhile.")
    entry_delete(entry=deleted)
    entry_built(id=new, title="Came meanwhile", problem="It stands there now.")
    import_run(job)
    assert numbers(job) == {"changed": 1, "edited": 3}
    assert [Entry.objects.get(pk=one).title for one in (shown.pk, edited.pk, new)] == [
        *("From the file", "Entry 1", "Came meanwhile")
    ]
    assert not Entry.objects.filter(pk=deleted.pk).exists()
    # What was left alone comes in when somebody has seen what it would do now.
    left = import_folder(job) / "failed.jsonl"
    assert [json.loads(line)["reason"] for line in left.read_text().splitlines()] == [
        *("edited after the preview", "deleted after the preview", "edited after the preview")
    ]
    again = brought(left)
    import_preview(again)
    import_run(again)
    assert numbers(again) == {"changed": 2, "invalid": 1}  # the deleted one has a title alone


def test_a_second_preview_shows_what_is_there_now(tmp_path: Path) -> None:
    entry = entry_built()
    job = brought(json_file(tmp_path, [{"id": str(entry.pk), "title": "From the file"}]))
    import_preview(job)
    entry_update(entry=entry, expected_version=1, author=None, title="Somebody's title")
    import_preview(job)
    assert verdicts(job)[0]["diff"] == [["title", "Somebody's title", "From the file"]]
    import_run(job)
    assert numbers(job) == {"changed": 1}


def test_an_import_that_is_taken_back_leaves_the_site_as_it_was(tmp_path: Path, django_user_model: type[User]) -> None:
    author = a_person("validate_entry", name="rev")
    kept = entry_built(title="Stays as it is", problem="Nothing happens here.")
    changed = entry_built(tags=["a", "b"], codes=["S0C4", "U1000"], author=author)
    review_validate(entry=changed, expected_version=1, reviewer=author)
    EntryRevision.objects.filter(entry=changed).delete()
    before = site()
    change = {"id": str(changed.pk), "title": "A title that is new", "tags": ["b", "brand new"], "codes": ["S0C7"]}
    job = imported(
        json_file(tmp_path, [row(), change, row(2, codes="zz99"), {"id": str(kept.pk), "title": kept.title}])
    )
    assert numbers(job) == {"new": 2, "changed": 1, "same": 1}
    assert Entry.objects.get(pk=changed.pk).review.validation == Validation.NOT_VALIDATED
    import_take_back(job)
    assert unchanged(before) == []
    assert index_check().ok
    assert job.state == ImportState.UNDONE
    assert not Tag.objects.filter(name="brand new").exists()


def test_what_people_did_since_stays_and_is_listed(tmp_path: Path) -> None:
    changed = entry_built()
    path = json_file(tmp_path, [*(row(n) for n in range(4)), {"id": str(changed.pk), "title": "Another title"}])
    job = imported(path)
    edited, voted, deleted, _left = Entry.objects.exclude(pk=changed.pk).order_by("title")
    entry_update(entry=edited, expected_version=1, author=None, title="Edited since")
    entry_update(entry=changed, expected_version=2, author=None, title="Edited twice")
    Feedback.objects.create(entry=voted, worked=True, voter="user:1")
    deleted.delete()
    import_take_back(job)
    assert {one["entry"] for one in rows_kept(job)} == {str(edited.pk), str(voted.pk), str(changed.pk)}
    assert set(Entry.objects.values_list("pk", flat=True)) == {edited.pk, voted.pk, changed.pk}
    assert Entry.objects.get(pk=changed.pk).title == "Edited twice"


def test_an_import_that_is_cut_off_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 3)
    rows = [
        *(row(n, id=str(UUID(int=n + 1))) for n in range(10)),
        row(0),
        row(11, id=str(UUID(int=2))),
        row(12, problem="x"),
    ]
    job = brought(json_file(tmp_path, rows))
    for cut in range(1, 5):
        job = Import.objects.get(pk=job.pk)
        batches = importing.import_write(job, job.cursor)
        batch = next(batches)
        Import.objects.filter(pk=job.pk).update(cursor=batch.cursor, state=ImportState.RUNNING)
        batches.close()
        if cut == 2:
            (import_folder(job) / "seen.sqlite3").unlink()  # what is only a memory may be lost
        # Work after the last commit is lost with its transaction, but not what it wrote to files.
        with (import_folder(job) / "failed.jsonl").open("ab") as file:
            file.write(b'{"half":')
    job = import_run(Import.objects.get(pk=job.pk))
    assert numbers(job) == {"new": 10, "duplicate": 1, "invalid": 2}
    failed = (import_folder(job) / "failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in failed] == ["S0C7 in run 11", "S0C7 in run 12"]
    assert Entry.objects.count() == 10
    import_take_back(job)
    assert Entry.objects.count() == 0


def test_one_row_that_the_database_refuses_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importing.entries_write

    def refusing(job: Import, rows: Any, **more: Any) -> None:
        real(job, rows, **more)
        if any(one.title.endswith("run 3") for one in rows):
            with connection.cursor() as cursor:
                cursor.execute("UPDATE kb_entries SET category = 'nonsense'")

    monkeypatch.setattr(importing, "entries_write", refusing)
    job = imported(csv_file(tmp_path, *(row(n, tags=f"t{n}") for n in range(7))))
    assert numbers(job) == {"new": 6, "invalid": 1}
    assert Tag.objects.filter(name="t6").exists() and not Tag.objects.filter(name="t3").exists()
    assert set(Entry.objects.values_list("category", flat=True)) == {Category.COBOL}
    assert index_check().ok


def test_nothing_is_imported_when_a_row_is_invalid_and_that_was_chosen(tmp_path: Path) -> None:
    job = brought(csv_file(tmp_path, row(), row(2, problem="x")), on_error="stop")
    with pytest.raises(ImportRefusedError, match="1 row"):
        import_run(job)
    assert not Entry.objects.exists()
    assert Import.objects.get().state == ImportState.READY
    assert numbers(imported(csv_file(tmp_path, row()), on_error="stop")) == {"new": 1}


def test_the_file_of_failed_rows_can_be_mended_and_sent_again(tmp_path: Path) -> None:
    job = imported(csv_file(tmp_path, row(), row(2, category="Quux", solution="=1+1 is not enough")))
    path = import_folder(job) / "failed.csv"
    cells = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    assert cells[0] == ["row", "title", "problem", "solution", "category", "severity", "tags", "reason"]
    assert cells[1][0] == "3" and "Quux" in cells[1][-1] and cells[1][3].startswith("'=1+1")
    mended = written(tmp_path / "mended.csv", path.read_bytes().replace(b"Quux", b"JCL"))
    assert numbers(imported(mended)) == {"new": 1}
    assert Entry.objects.get(category="JCL").solution == "=1+1 is not enough"


def test_words_of_other_systems_are_mapped(tmp_path: Path) -> None:
    a_person(name="ben")
    path = csv_file(
        tmp_path,
        {
            "Subject": "Queue is full again", "Symptom": "The queue takes no more.", "Workaround": "Empty it by hand.",
            "Area": "Messaging", "Priority": "Prio 1", "Keywords": "mq; full", "Author": "B. Smith", "Team": "Night",
            "Created": "31.05.2024 12:30", "Number": "KB0017", "Odd": "x",
        },
    )  # fmt: skip
    options = {"authors": {"B. Smith": "ben"}, "unknown_columns": "keep", "columns": {"odd": ""}}
    assert numbers(imported(path, **options)) == {"new": 1}
    entry = Entry.objects.get()
    assert (entry.category, entry.severity, entry.title) == ("MQ", "critical", "Queue is full again")
    assert entry.created_by and entry.created_by.username == "ben"
    assert entry.created_at.isoformat() == "2024-05-31T12:30:00+00:00"
    assert entry.solution == "Empty it by hand.\n\n- team: Night"
    assert sorted(entry.tags.values_list("name", flat=True)) == ["full", "mq"]
    assert numbers(imported(path, **options)) == {"same": 1}


def test_unknown_words_are_refused_unless_they_are_mapped(tmp_path: Path) -> None:
    path = csv_file(tmp_path, row(category="Foo", severity="odd"), row(2, category=""))
    job = imported(path)
    assert numbers(job) == {"invalid": 2}
    assert job.report["unknown"] == {"category": {"Foo": 1, "": 1}, "severity": {"odd": 1}}
    options = {"categories": {"Foo": "JCL", "": "Other"}, "severities": {"odd": "low"}}
    assert numbers(imported(path, **options)) == {"new": 2}


def test_options_that_do_not_exist_are_refused() -> None:
    for values in ({"duplicates": "maybe"}, {"categories": {"a": "Foo"}}, {"nonsense": "x"}):
        with pytest.raises(ImportOptionError):
            ImportOptions.of(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": "ab"}, "title: 2 characters"),
        ({"title": "x" * 256}, "256"),
        ({"solution": "#REF!"}, "spreadsheet"),
        ({"created_at": "2999-01-01"}, "future"),
        ({"created_at": "03/04/2024"}, "two ways"),
        ({"created_at": "soon"}, "no date"),
        ({"usage_count": "-1"}, "no count"),
        ({"problem": {"a": 1}}, "list or object"),
        ({"tags": "x" * 65}, "tags"),
        ({"tags": [str(n) for n in range(31)]}, "at most 30"),
        ({"codes": "x" * 40}, "too long"),
        ({"name": "Twice"}, "two columns"),
    ],
)
def test_a_row_that_cannot_be_an_entry_says_why(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    before = site()
    job = imported(json_file(tmp_path, [row(**values)]))
    assert numbers(job) == {"invalid": 1}
    assert words in next(iter(job.report["reasons"]))
    assert unchanged(before) == []


def test_hostile_and_odd_texts_are_stored_as_text(tmp_path: Path) -> None:
    title = "<script>alert(1)</script> \ud800 ' OR 1=1 -- %s"
    assert numbers(imported(json_file(tmp_path, [row(title=title, problem="NUL \0 here, and more.")]))) == {"new": 1}
    entry = Entry.objects.get()
    assert entry.title == "<script>alert(1)</script> ' OR 1=1 -- %s"
    assert "\0" not in entry.problem and "<script" not in entry.problem_html


def test_who_may_not_publish_brings_drafts(tmp_path: Path) -> None:
    person = a_person("add_entry")
    job = imported(json_file(tmp_path, [row(), row(2, status="published")]), person)
    assert numbers(job) == {"new": 1, "invalid": 1}
    entry = Entry.objects.get()
    assert (entry.status, entry.created_by) == (EntryStatus.DRAFT, person)


def test_an_entry_that_was_merged_into_another_does_not_come_back(tmp_path: Path) -> None:
    kept, old = entry_built(), uuid4()
    EntryAddress.objects.create(old_id=old, entry=kept, title="Old")
    assert numbers(imported(json_file(tmp_path, [row(id=str(old))]))) == {"duplicate": 1}


def test_existing_entries_and_duplicates_can_be_treated_the_other_way(tmp_path: Path) -> None:
    there = entry_built()
    rows = [row(id=str(there.pk)), row(title=there.title, problem=there.problem), row(5), row(5)]
    job = imported(json_file(tmp_path, rows), existing="keep", duplicates="add")
    assert numbers(job) == {"duplicate": 1, "new": 3}
    assert Entry.objects.get(pk=there.pk).version == 1


def test_an_id_that_stands_twice_is_refused_the_second_time(tmp_path: Path) -> None:
    same = str(uuid4())
    assert numbers(imported(json_file(tmp_path, [row(1, id=same), row(2, id=same)]))) == {"new": 1, "invalid": 1}


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    before = site()
    path = written(tmp_path / "a.json", json.dumps([row(n) for n in range(50)]).encode()[:-40])
    with pytest.raises(ImportUnreadableError):
        brought(path)
    assert unchanged(before) == []
    assert not Import.objects.exists() and not ImportedRow.objects.exists()
    assert [one for one in (tmp_path / "transfer").rglob("*") if one.is_file()] == []


def test_an_import_is_imported_once_and_taken_back_once(tmp_path: Path) -> None:
    job = imported(csv_file(tmp_path, row()))
    with pytest.raises(ImportStateError):
        import_run(job)
    import_take_back(job)
    for act in (import_take_back, import_run, import_preview):
        with pytest.raises(ImportStateError):
            act(job)


def test_sections_that_nothing_reads_are_counted(tmp_path: Path) -> None:
    job = imported(json_file(tmp_path, {"kbEntries": [row()], "analytics": [{"a": 1}, {"b": 2}], "templates": []}))
    assert job.report["sections"] == {"entries": {"new": 1}, "analytics": {"unread": 2}}
