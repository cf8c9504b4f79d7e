"""A rehearsal runs the plan up and back on a copy and leaves the site alone."""

from __future__ import annotations

from pathlib import Path

from tests.sites import Site


def prepared(site: Site) -> None:
    site.manage(
        "shell",
        "--verbosity=0",
        "--command",
        "from tests.engine.builders import entry_made, searches_made\nentry_made(usage_count=1); searches_made(700)",
    )
    site.manage("mvp", "plan", "2", check=False)


def test_a_rehearsal_goes_up_and_back_on_a_copy_and_measures_every_step(site: Site) -> None:
    prepared(site)

    report = site.manage_json("mvp", "rehearse", "1", "--inline")

    assert report["state"] == "succeeded", report["error"]
    status = site.manage_json("mvp", "status")
    assert status["level"] == 1
    assert status["last_checkpoint"]["restore_tested_at"]
    assert list((site.data_dir / "rehearsals").iterdir()) == []
    plan = site.manage("mvp", "check", "1", "--json", check=False).stdout
    assert '"source": "rehearsal"' in plan
    risks = site.manage("mvp", "check", "1", check=False).stdout
    assert "This plan was not rehearsed" not in risks
    assert "no verified checkpoint" not in risks


def test_a_rehearsal_clears_what_a_killed_one_has_left_and_keeps_to_the_options_of_the_address(site: Site) -> None:
    prepared(site)
    leftover = site.data_dir / "rehearsals" / "9_dead"
    leftover.mkdir(parents=True)
    (leftover / "kb.sqlite3").write_bytes(b"rows of people")
    options = "?options=-csearch_path%3Dpublic%20-cstatement_timeout%3D600000" if site.vendor == "postgresql" else ""
    optioned = Site(site.vendor, site.data_dir, f"{site.url}{options}", site.extra)
    if site.vendor == "postgresql":
        sql(site, 'CREATE SCHEMA "kb_rehearsal_9_dead"')

    report = optioned.manage_json("mvp", "rehearse", "1", "--inline")

    assert report["state"] == "succeeded", report["error"]
    assert list((site.data_dir / "rehearsals").iterdir()) == []
    if site.vendor == "postgresql":
        assert sql(site, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'kb_rehearsal%%'") == "0"


def sql(site: Site, statement: str) -> str:
    """The first value that a statement gives."""
    program = (
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        f"    cursor.execute({statement!r})\n"
        "    print(cursor.fetchone()[0] if cursor.description else '')\n"
    )
    return site.manage("shell", "--verbosity=0", "--command", program).stdout.strip()


def test_a_rehearsal_that_fails_says_why_and_the_site_goes_on(site: Site) -> None:
    prepared(site)
    broken = Site(site.vendor, site.data_dir, site.url, {"DJANGO_SETTINGS_MODULE": "tests.engine.broken_settings"})

    report = broken.manage("mvp", "rehearse", "1", "--inline", "--json", check=False)

    assert report.returncode == 4
    assert "Rehearsals cannot write" in report.stdout
    assert list((site.data_dir / "rehearsals").iterdir()) == []
    assert site.manage_json("mvp", "status")["level"] == 1
    assert site.manage_json("mvp", "retry", "1", "--inline")["state"] == "succeeded"


def test_the_copy_refuses_to_work_on_the_site_itself(site: Site, tmp_path: Path) -> None:
    prepared(site)
    archive = Path(site.data_dir / "checkpoints" / site.manage_json("checkpoint", "create")["checkpoint"])

    refused = site.manage("mvp", "rehearse-copy", f"{archive}.zip", "2", "--scratch", str(tmp_path), check=False)

    assert refused.returncode == 1
    assert "and not to its copy; nothing was changed" in refused.stderr
    assert site.manage_json("mvp", "status")["level"] == 1
