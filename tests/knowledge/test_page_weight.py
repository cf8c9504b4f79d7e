"""Every reader page with its one style sheet and its scripts fits into 60 kB, compressed as it is sent."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from knowledge.entries import entry_update
from knowledge.models import SOLUTION_CHARS, EntryStatus
from tests.knowledge.logs.samples import S0C7_JOB
from tests.knowledge.page_builders import an_entry

pytestmark = pytest.mark.django_db

MOST_BYTES = 60_000
#: As much as an entry can hold, in words that do not pack well.
LONG = "".join(
    f"## Part {number}\n\nStep{number * 7919 % 9973} ends with S0C{number % 9 + 1} at {number * 104729:X}.\n\n"
    for number in range(160)
)


@pytest.fixture
def staff(client: Client) -> Client:
    """A site with lists longer than their pages, seen by somebody who gets every button."""
    ada = User.objects.create_superuser("ada", "ada@example.org", "pass")
    for number in range(30):
        an_entry(title=f"S0C7 in step STEP{number:03}", tags=[f"tag-{number}", "abend"], author=ada)
    an_entry(title="A draft of mine", status=EntryStatus.DRAFT, author=ada)
    client.force_login(ada)
    return client


def packed(content: bytes) -> int:
    return len(gzip.compress(content, compresslevel=6))


def weight(html: bytes) -> int:
    """The page and what it loads. Also: it loads one style sheet and nothing from elsewhere."""
    text = html.decode()
    styles = re.findall(r'<link rel="stylesheet" href="/static/([^"]+)"', text)
    scripts = re.findall(r'<script src="/static/([^"]+)"', text)
    assert len(styles) == text.count('rel="stylesheet"') == 1
    assert len(scripts) == text.count("<script")
    files = [Path(str(finders.find(name))) for name in styles + scripts]
    return packed(html) + sum(packed(path.read_bytes()) for path in files)


def test_pages_are_light(staff: Client) -> None:
    entry = an_entry(title="S0C7 at length", solution=LONG[: SOLUTION_CHARS[1]], problem=LONG[:5_000])
    entry = entry_update(
        entry=entry, expected_version=1, author=None, problem="It ends with S0C7.", solution=LONG[::-1][:9_000]
    )
    names = (
        "home",
        "browse",
        "tags",
        "codes",
        "logs",
        "login",
        "api_page",
        "search",
        "tokens",
        "password",
        "drafts",
        "reviews",
        "mine",
        "flags",
        "entry_create",
    )
    about = ("entry_edit", "entry_history", "entry_compare", "entry_merge")
    urls = [
        *(reverse(name) for name in names), *(reverse(name, args=[entry.pk]) for name in about), entry.get_absolute_url(),
        reverse("entry_version", args=[entry.pk, 1]), reverse("code", args=["S0C7"]), f"{reverse('search')}?q=S0C7",
        f"{reverse('search')}?q=nothinglikethis",
    ]  # fmt: skip
    weights = {url: weight(staff.get(url, follow=True).content) for url in urls}
    weights["a log"] = weight(staff.post(reverse("logs"), {"text": S0C7_JOB * 200}).content)
    assert {url: size for url, size in weights.items() if size > MOST_BYTES} == {}
