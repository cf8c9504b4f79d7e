"""The plugin registry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django_q.models import Schedule

from knowledge import plugins as registry
from knowledge.models import Plugin, PluginHealth
from knowledge.plugins import (
    Health,
    PluginClosedError,
    PluginConfigurationError,
    PluginDependencyError,
    PluginNeededError,
    PluginOption,
    PluginSchedule,
    PluginSpec,
    PluginUnknownError,
    plugin_configuration,
    plugin_configure,
    plugin_disable,
    plugin_enable,
    plugin_health,
    plugin_hold,
    plugin_is_enabled,
    plugin_task,
    plugins,
)


def broken_health() -> Health:
    raise ValueError("no answer")


SPECS = {
    spec.name: spec
    for spec in (
        PluginSpec(
            name="base",
            title="Base",
            level=1,
            options={
                "count": PluginOption(default=3, minimum=1, maximum=10, help=""),
                "share": PluginOption(default=0.5, minimum=0, maximum=1, help=""),
                "on": PluginOption(default=True, help=""),
                "word": PluginOption(default="x", minimum=1, maximum=5, help=""),
            },
            schedules=(PluginSchedule(name="base-tick", function="a.b", every=timedelta(minutes=5)),),
            health=lambda: Health(PluginHealth.WARN, "slow"),
        ),
        PluginSpec(name="upper", title="Upper", level=1, depends_on=("base",), options={}, health=broken_health),
        PluginSpec(name="later", title="Later", level=2, options={}),
    )
}


@pytest.fixture(autouse=True)
def specs(db, monkeypatch):
    monkeypatch.setattr(registry, "plugins", lambda: SPECS)


def test_the_release_has_the_plugins_that_its_phases_name(monkeypatch):
    monkeypatch.undo()
    from migrations_ops.phase import phases

    assert set(plugins()) == {name for phase in phases() for name in phase.plugins}
    for phase in phases():
        assert all(plugins()[name].level == phase.level for name in phase.plugins)


def test_enabling_sets_row_and_schedule_in_one_transaction():
    with transaction.atomic():
        plugin_enable(name="base")
        assert Schedule.objects.filter(name="base-tick", minutes=5).exists()
        transaction.set_rollback(True)
    assert not plugin_is_enabled("base")
    assert not Schedule.objects.filter(name="base-tick").exists()


def test_enabling_twice_changes_nothing():
    first = plugin_enable(name="base")
    next_run = Schedule.objects.get(name="base-tick").next_run
    assert plugin_enable(name="base").changed_at == first.changed_at
    assert Schedule.objects.get(name="base-tick").next_run == next_run


def test_disabling_removes_the_schedule_and_keeps_the_configuration():
    plugin_enable(name="base")
    plugin_configure(name="base", configuration={"count": 7})
    plugin_disable(name="base")
    plugin_disable(name="base")
    assert not Schedule.objects.filter(name="base-tick").exists()
    plugin_enable(name="base")
    assert plugin_configuration("base")["count"] == 7


def test_a_plugin_needs_what_it_depends_on():
    with pytest.raises(PluginDependencyError, match="needs base"):
        plugin_enable(name="upper")
    plugin_enable(name="base")
    plugin_enable(name="upper")
    with pytest.raises(PluginNeededError, match="needed by upper"):
        plugin_disable(name="base")
    assert plugin_is_enabled("base")


def test_an_unknown_plugin_is_named():
    with pytest.raises(PluginUnknownError, match="no plugin nope"):
        plugin_enable(name="nope")


def test_a_plugin_without_its_tables_cannot_be_enabled(monkeypatch):
    monkeypatch.setattr(registry, "table_exists", lambda table: False)
    with pytest.raises(PluginClosedError, match="opens with MVP2"):
        plugin_enable(name="later")
    assert not Plugin.objects.exists()


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ({"count": 0}, "count is 0 and must be at least 1"),
        ({"count": 11}, "count is 11 and must be at most 10"),
        ({"count": "3"}, "count is '3' and must be a whole number"),
        ({"count": True}, "count is True and must be a whole number"),
        ({"share": float("nan")}, "share is nan and must be at least 0"),
        ({"on": 1}, "on is 1 and must be true or false"),
        ({"word": "toolong"}, "word is 'toolong' and must be at most 5"),
        ({"colour": 1}, "colour is no option"),
        ([1], "must be an object"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_reason(configuration, problem):
    with pytest.raises(PluginConfigurationError) as caught:
        plugin_configure(name="base", configuration=configuration)
    assert problem in str(caught.value)
    assert plugin_configuration("base") == SPECS["base"].default_configuration


def test_every_problem_of_a_configuration_is_named_at_once():
    with pytest.raises(PluginConfigurationError, match=r"count.*share"):
        plugin_configure(name="base", configuration={"count": 0, "share": 2})


def test_a_whole_number_is_a_number():
    plugin_configure(name="base", configuration={"share": 1})
    assert plugin_configuration("base") == {"count": 3, "share": 1, "on": True, "word": "x"}


def test_health_is_kept_in_the_row():
    plugin_enable(name="base")
    assert plugin_health(name="base").status == PluginHealth.WARN
    row = Plugin.objects.get(name="base")
    assert (row.health, row.health_message) == ("warn", "slow")
    assert row.health_checked_at


def test_a_health_check_that_breaks_is_a_failure():
    plugin_enable(name="base")
    plugin_enable(name="upper")
    assert plugin_health(name="upper") == Health(PluginHealth.FAIL, "The check itself failed: no answer")


def test_a_task_counts_runs_and_keeps_its_figures():
    plugin_enable(name="base")

    @plugin_task("base")
    def tick():
        return {"rows": 5}

    assert tick() == {"rows": 5}
    tick()
    row = Plugin.objects.get(name="base")
    assert row.run_count == 2
    assert row.metrics["tick"]["rows"] == 5
    assert row.last_run_at


def test_a_failing_task_counts_an_error_and_still_fails():
    plugin_enable(name="base")

    @plugin_task("base")
    def tick():
        raise ValueError("disk gone")

    with pytest.raises(ValueError, match="disk gone"):
        tick()
    row = Plugin.objects.get(name="base")
    assert (row.run_count, row.error_count) == (1, 1)
    assert "disk gone" in row.last_error


def test_the_task_of_a_disabled_plugin_does_nothing():
    @plugin_task("base")
    def tick():
        raise AssertionError

    assert tick() is None
    plugin_enable(name="base")
    plugin_disable(name="base")
    assert tick() is None
    assert Plugin.objects.get(name="base").run_count == 0


def test_the_task_of_a_closed_level_does_nothing(monkeypatch):
    monkeypatch.setattr(registry, "table_exists", lambda table: True)
    plugin_enable(name="later")

    @plugin_task("later")
    def tick():
        raise AssertionError

    assert tick() is None


def test_only_an_enabled_plugin_can_be_held():
    with transaction.atomic():
        assert not plugin_hold("base")
        plugin_enable(name="base")
        assert plugin_hold("base")
