"""Tokens: shown once, one's own only, kept as a digest."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge.errors import TokenGoneError, TokenInvalidError, TokenLimitError
from knowledge.models import ApiToken
from knowledge.tokens import TOKENS_PER_PERSON, token_create, token_delete, token_user
from tests.knowledge.page_builders import a_person

pytestmark = pytest.mark.django_db


def test_the_page_is_for_people_who_are_logged_in(client: Client) -> None:
    assert client.get(reverse("tokens")).status_code == 302


def test_a_token_is_shown_once_and_nowhere_kept(client: Client) -> None:
    client.force_login(a_person())
    response = client.post(reverse("tokens"), {"name": "Nightly copy", "days": "30"})
    secret = re.search(r"mkb_[\w-]{43}", response.content.decode())
    assert secret and "no-store" in response["Cache-Control"]
    again = client.get(reverse("tokens")).content.decode()
    assert "Nightly copy" in again and secret[0] not in again
    kept = ApiToken.objects.get()
    assert secret[0] not in repr(vars(kept)) and len(kept.digest) == 64
    assert kept.expires_at and kept.expires_at > timezone.now() + timedelta(days=29)
    assert token_user(secret[0]).user.username == "ana"


def test_a_form_without_a_name_makes_no_token(client: Client) -> None:
    client.force_login(a_person())
    assert client.post(reverse("tokens"), {"name": "", "days": "31"}).status_code == 422
    assert not ApiToken.objects.exists()


def test_only_ones_own_token_can_be_ended(client: Client) -> None:
    mine, other = a_person(), a_person(name="bob")
    made = token_create(user=other, name="bobs", days=None)
    with pytest.raises(TokenGoneError):
        token_delete(user=mine, token_id=made.token.pk)
    client.force_login(mine)
    assert b"bobs" not in client.get(reverse("tokens")).content
    client.post(reverse("token_end", args=[made.token.pk]))
    assert ApiToken.objects.exists()
    client.force_login(other)
    client.post(reverse("token_end", args=[made.token.pk]))
    assert not ApiToken.objects.exists()
    with pytest.raises(TokenInvalidError):
        token_user(made.secret)


def test_nobody_has_more_tokens_than_the_limit(client: Client) -> None:
    person = a_person()
    for number in range(TOKENS_PER_PERSON):
        token_create(user=person, name=str(number), days=None)
    with pytest.raises(TokenLimitError):
        token_create(user=person, name="one more", days=None)
    client.force_login(person)
    response = client.post(reverse("tokens"), {"name": "one more", "days": "0"})
    assert response.status_code == 422 and b"nobody has more" in response.content


def test_the_last_use_is_noted_now_and_then() -> None:
    made = token_create(user=a_person(), name="x", days=None)
    first = timezone.now()
    for minutes in (0, 1, 9):
        token_user(made.secret, at=first + timedelta(minutes=minutes))
    assert ApiToken.objects.get().last_used_at == first
    token_user(made.secret, at=first + timedelta(minutes=11))
    assert ApiToken.objects.get().last_used_at == first + timedelta(minutes=11)


def test_staff_see_tokens_and_can_only_end_them(admin_client: Client) -> None:
    made = token_create(user=a_person(), name="Nightly copy", days=None)
    assert b"Nightly copy" in admin_client.get(reverse("admin:knowledge_apitoken_changelist")).content
    assert admin_client.get(reverse("admin:knowledge_apitoken_add")).status_code == 403
    page = admin_client.get(reverse("admin:knowledge_apitoken_change", args=[made.token.pk]))
    assert page.status_code == 200 and made.token.digest.encode() not in page.content
