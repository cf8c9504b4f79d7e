"""People who use the site in a browser."""

from __future__ import annotations

from django.urls import reverse
from playwright.sync_api import Page


def log_in(page: Page, url: str, name: str) -> None:
    page.goto(url + reverse("login"))
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("pass")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
