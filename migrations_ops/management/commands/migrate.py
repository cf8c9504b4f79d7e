"""Django's `migrate`, stopped at the site's level.

Every app that is no phase, and every open phase, goes to its newest migration; closed phases stay
without tables until a run opens them. A phase that a resting run has made tables for counts as open.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from migrations_ops.errors import MoveOpenError
from migrations_ops.gate import site_level, table_exists
from migrations_ops.models import Move
from migrations_ops.phase import Phase, phase_of_app, phases


class Command(DjangoMigrate):
    help = "Brings the tables of every open level up to date; levels open and close with `mvp run`."

    def handle(self, *args: Any, **options: Any) -> None:
        label = options["app_label"]
        if options["database"] == DEFAULT_DB_ALIAS and not (options["plan"] or options["check_unapplied"]):
            self._refuse_open_move(options["migration_name"])
        closed = self._closed(options["database"])
        if label:
            self._refuse_phase_moves(label, options["migration_name"], closed)
            super().handle(*args, **options)
        elif not closed:
            super().handle(*args, **options)
        else:
            self._migrate_open(closed, *args, **options)

    def _refuse_open_move(self, named: str | None) -> None:
        """Tables that a move watches stay as they are: its triggers and the other database know them so."""
        if not table_exists(Move._meta.db_table):
            return
        # One column only: the others may be what the next migration adds.
        run_id = Move.objects.filter(is_open=True).values_list("run_id", flat=True).first()
        if run_id is None:
            return
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        open_labels = {config.label for config in apps.get_app_configs()} - {
            phase.app_label for phase in self._closed(DEFAULT_DB_ALIAS)
        }
        targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] in open_labels]
        if named or executor.migration_plan(targets):
            raise CommandError(str(MoveOpenError(run=run_id)))

    def _closed(self, using: str) -> list[Phase]:
        begun = {label for label, _name in MigrationLoader(connections[using]).applied_migrations}
        return [phase for phase in phases() if phase.level > site_level() and phase.app_label not in begun]

    def _refuse_phase_moves(self, label: str, target: str | None, closed: list[Phase]) -> None:
        phase = phase_of_app(label)
        if phase is not None and phase in closed:
            raise CommandError(
                f"{label} belongs to MVP{phase.level}, which is closed on this site. "
                f"`manage.py mvp plan {phase.level}` opens it."
            )
        if phase is not None and phase.level > 1 and target == "zero":
            raise CommandError(
                f"{label} belongs to MVP{phase.level}, which is open. `manage.py mvp rollback` closes it "
                "and parks its rows; dropping the tables here would lose them."
            )

    def _migrate_open(self, closed: list[Phase], *args: Any, **options: Any) -> None:
        closed_labels = {phase.app_label for phase in closed}
        loader = MigrationLoader(connections[options["database"]])
        done = set(loader.applied_migrations)
        for config in apps.get_app_configs():
            known = {key for key in loader.disk_migrations if key[0] == config.label}
            if config.label not in closed_labels and known - done:
                super().handle(*args, **{**options, "app_label": config.label, "run_syncdb": False})
        if options["plan"] or options["check_unapplied"]:
            return  # these only look
        for phase in closed:
            # Before the level opens, so that groups can be given them, and so that neither a run nor
            # its rollback changes what people may do.
            create_permissions(apps.get_app_config(phase.app_label), verbosity=0, using=options["database"])
            if options["verbosity"] >= 1:
                self.stdout.write(f"  MVP{phase.level} ({phase.title}) is closed: no tables made.")
