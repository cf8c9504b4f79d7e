"""Habits of the tree that no other tool looks at."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Lines of a file at which it wants to be split; tests and migrations may be longer.
LONG_FILE_LINES = 400
SAME_IN_EVERY_LANGUAGE = ["CSV", "JSON", "MVP", "sha256", "SQLCODE", "XLSX"]
PLACES = re.compile(r"(?<![\w:./{}<>$-])/(work|home|root|Users|mnt|opt)/[\w./-]+")


@cache
def files() -> tuple[Path, ...]:
    """Every text file under version control."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [ROOT / name for name in listed.stdout.splitlines()]
    return tuple(path for path in found if path.exists() and b"\0" not in path.read_bytes()[:1024])


def named(*suffixes: str) -> list[Path]:
    return [path for path in files() if path.suffix in suffixes]


def hits(paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.fixture(autouse=True)
def _version_control() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")


def test_no_place_of_one_machine_is_written_down() -> None:
    paths = [path for path in files() if path.resolve() != Path(__file__).resolve()]
    assert hits(paths, PLACES) == []


def test_no_file_is_so_long_that_it_wants_to_be_split() -> None:
    ours = [path for path in named(".py") if "tests" not in path.parts and "migrations" not in path.parts]
    assert [str(path) for path in ours if len(path.read_text().splitlines()) > LONG_FILE_LINES] == []


def test_no_module_is_named_for_nothing() -> None:
    assert [path for path in named(".py") if path.stem in {"utils", "helpers", "common", "misc", "util"}] == []


def test_templates_have_no_inline_script_or_style() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
    assert hits(named(".html"), inline) == []


def test_a_template_include_names_what_it_passes() -> None:
    """Except for fragments that a view also renders alone, or that hold a form and so need its token."""
    bare = re.compile(r"{%\s*include\s+\"([^\"]+)\"(?!.*\bonly\s*%})")
    views = "\n".join(path.read_text() for path in named(".py"))
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in named(".html")
        for name in bare.findall(path.read_text())
        if name not in views and "csrf_token" not in (ROOT / "templates" / name).read_text()
    ]
    assert found == []


def test_requirements_are_exact() -> None:
    loose = re.compile(r"^(?!#|-r |\s*$)(?!\S+==\S+$)")
    assert hits([path for path in files() if path.match("requirements*.txt")], loose) == []


def test_texts_in_templates_are_marked_for_translation() -> None:
    """A rough look: words between tags that stand outside every translation tag."""
    block = re.compile(
        r"{%\s*(blocktranslate|blocktrans|comment)\b.*?{%\s*end\1\s*%}"
        r"|{%\s*block\s+\w*class\w*\s*%}.*?{%\s*endblock\b|{#.*?#}|<!--.*?-->",
        re.DOTALL,
    )
    printed = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
    element = re.compile(r"<code.*?</code>|<a class=.code.*?</a>|<[^>]*>", re.DOTALL)
    word = re.compile(rf"(?!\b(?:{'|'.join(SAME_IN_EVERY_LANGUAGE)})\b)\b[A-Za-z]{{3,}}")
    plain = []
    for path in named(".html"):
        text = element.sub("\n", printed.sub("", block.sub("\n", path.read_text())))
        plain += [f"{path.relative_to(ROOT)}: {line.strip()}" for line in text.splitlines() if word.search(line)]
    assert plain == []
