"""The task queue in the admin: its own style, and nothing to change."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task
from unfold.admin import ModelAdmin

pytestmark = pytest.mark.django_db

MODELS = (Failure, OrmQ, Schedule, Success)


@pytest.fixture
def rows() -> dict[Any, Any]:
    """One of each."""
    now = timezone.now()
    for name, success, result in (("went", True, {"rows": 3}), ("fell", False, "<b>Error</b> in line 1")):
        Task.objects.create(
            id=name * 8,
            name=name,
            func="math.sqrt",
            args=(4,),
            kwargs={},
            result=result,
            success=success,
            started=now,
            stopped=now,
        )
    Schedule.objects.create(name="nightly", func="math.sqrt", minutes=5)
    async_task("math.sqrt", 4, task_name="waits")
    return {model: model.objects.get() for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
def test_each_page_opens_in_the_sites_style_and_changes_nothing(
    client: Client, rows: dict[Any, Any], model: Any
) -> None:
    assert isinstance(admin.site._registry[model], ModelAdmin)
    client.force_login(User.objects.create_superuser("root", password="pass"))
    name = f"admin:django_q_{model._meta.model_name}"
    page = client.get(reverse(f"{name}_changelist"))
    detail = client.get(reverse(f"{name}_change", args=[rows[model].pk]))
    assert (page.status_code, detail.status_code) == (200, 200)
    assert "math.sqrt" in page.content.decode() and "math.sqrt" in detail.content.decode()
    assert "<b>Error" not in page.content.decode() + detail.content.decode()
    assert 'name="_save"' not in detail.content.decode() and "resubmit" not in page.content.decode()
    for verb, arguments in (("add", []), ("delete", [rows[model].pk])):
        assert client.get(reverse(f"{name}_{verb}", args=arguments)).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[rows[model].pk]), {"func": "os.abort"}).status_code == 403


def test_who_may_see_schedules_need_not_see_arguments_of_waiting_tasks(client: Client, rows: dict[Any, Any]) -> None:
    person = User.objects.create_user("ana", password="pass", is_staff=True)
    person.user_permissions.set(_permissions("view_ormq", "view_schedule"))
    client.force_login(person)
    assert client.get(reverse("admin:django_q_schedule_changelist")).status_code == 200
    assert client.get(reverse("admin:django_q_ormq_changelist")).status_code == 403


def _permissions(*codenames: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(content_type__app_label="django_q", codename__in=codenames)


def test_every_page_of_the_admin_has_the_sites_style() -> None:
    others = [model for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)]
    assert others == []
