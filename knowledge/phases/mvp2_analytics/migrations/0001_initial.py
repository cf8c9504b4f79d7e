import django.utils.timezone
from django.db import migrations, models

import migrations_ops.gate


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("knowledge", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="IgnoredQuery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("normalized", models.CharField(max_length=500, unique=True, verbose_name="normalised query")),
                ("ignored_by", models.CharField(max_length=150, verbose_name="by")),
                ("ignored_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="at")),
            ],
            options={
                "verbose_name": "ignored query",
                "verbose_name_plural": "ignored queries",
                "db_table": "ignored_queries",
                "ordering": ["normalized"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Baseline",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("metric", models.CharField(max_length=64, unique=True, verbose_name="metric")),
                ("value", models.FloatField(verbose_name="value")),
                ("window_days", models.PositiveSmallIntegerField(verbose_name="window (days)")),
                ("computed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="computed")),
            ],
            options={
                "verbose_name": "baseline",
                "verbose_name_plural": "baselines",
                "db_table": "analytics_baselines",
                "ordering": ["metric"],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("window_days__gte", 1)), name="analytics_baselines_window"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchAnalytics",
            fields=[
                (
                    "search",
                    models.OneToOneField(
                        on_delete=migrations_ops.gate.phase_cascade,
                        primary_key=True,
                        related_name="analytics",
                        serialize=False,
                        to="knowledge.searchquery",
                        verbose_name="search",
                    ),
                ),
                ("normalized", models.CharField(blank=True, max_length=500, verbose_name="normalised query")),
                ("day", models.DateField(verbose_name="day")),
                ("hour", models.PositiveSmallIntegerField(verbose_name="hour")),
                ("result_count", models.PositiveIntegerField(default=0, verbose_name="results")),
                ("elapsed_ms", models.FloatField(default=0.0, verbose_name="time (ms)")),
                ("had_results", models.BooleanField(default=False, verbose_name="found something")),
                ("opened", models.BooleanField(default=False, verbose_name="result opened")),
                ("searcher", models.CharField(blank=True, max_length=32, verbose_name="searcher")),
                ("codes", models.JSONField(blank=True, default=list, verbose_name="codes")),
            ],
            options={
                "verbose_name": "search in analytics",
                "verbose_name_plural": "searches in analytics",
                "db_table": "search_analytics",
                "ordering": ["-search_id"],
                "permissions": [("ignore_query", "Can ignore queries without a result")],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["day", "normalized"], name="search_analytics_query"),
                    models.Index(fields=["day", "elapsed_ms"], name="search_analytics_time"),
                    models.Index(
                        condition=models.Q(("had_results", False)),
                        fields=["day", "normalized"],
                        name="search_analytics_missed",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("hour__range", (0, 23))), name="search_analytics_hour"),
                    models.CheckConstraint(condition=models.Q(("elapsed_ms__gte", 0)), name="search_analytics_elapsed"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("had_results", True), ("result_count__gt", 0)),
                            models.Q(("had_results", False), ("result_count", 0)),
                            _connector="OR",
                        ),
                        name="search_analytics_had_results",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsagePattern",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("repeated_query", "Asked again and again"),
                            ("zero_result", "Asked, never answered"),
                            ("code_surge", "A code surges"),
                            ("query_failure", "Found, but it did not help"),
                            ("co_searched", "Codes searched together"),
                        ],
                        max_length=24,
                        verbose_name="type",
                    ),
                ),
                ("key", models.CharField(max_length=600)),
                ("title", models.CharField(max_length=300, verbose_name="title")),
                ("frequency", models.PositiveIntegerField(verbose_name="frequency")),
                ("confidence", models.FloatField(verbose_name="confidence")),
                ("first_seen", models.DateTimeField(verbose_name="first seen")),
                ("last_seen", models.DateTimeField(verbose_name="last seen")),
                ("examples", models.JSONField(blank=True, default=list, verbose_name="examples")),
                ("detected_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="detected")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved")],
                        default="open",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("state_by", models.CharField(blank=True, max_length=150, verbose_name="by")),
                ("state_at", models.DateTimeField(blank=True, null=True, verbose_name="since")),
                ("note", models.CharField(blank=True, max_length=1000, verbose_name="note")),
                ("came_back_at", models.DateTimeField(blank=True, null=True, verbose_name="came back")),
            ],
            options={
                "verbose_name": "usage pattern",
                "verbose_name_plural": "usage patterns",
                "db_table": "usage_patterns",
                "ordering": ["-last_seen", "-id"],
                "permissions": [
                    ("acknowledge_pattern", "Can acknowledge a pattern"),
                    ("resolve_pattern", "Can resolve and reopen a pattern"),
                ],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["state", "-last_seen"], name="usage_patterns_state")],
                "constraints": [
                    models.UniqueConstraint(fields=("type", "key"), name="usage_patterns_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "type__in",
                                ["repeated_query", "zero_result", "code_surge", "query_failure", "co_searched"],
                            )
                        ),
                        name="usage_patterns_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "acknowledged", "resolved"])),
                        name="usage_patterns_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("confidence__range", (0, 1))), name="usage_patterns_confidence"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first_seen__lte", models.F("last_seen"))), name="usage_patterns_seen"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("came_back_at__isnull", True), ("state", "resolved"), _connector="OR"),
                        name="usage_patterns_came_back",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageMetric",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                ("views", models.PositiveIntegerField(default=0, verbose_name="views")),
                ("worked", models.PositiveIntegerField(default=0, verbose_name="worked")),
                ("failed", models.PositiveIntegerField(default=0, verbose_name="did not work")),
                ("views_total", models.PositiveIntegerField(default=0)),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=migrations_ops.gate.phase_cascade,
                        related_name="usage_metrics",
                        to="knowledge.entry",
                        verbose_name="entry",
                    ),
                ),
            ],
            options={
                "verbose_name": "usage of an entry",
                "verbose_name_plural": "usage of entries",
                "db_table": "usage_metrics",
                "ordering": ["-day", "id"],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["day"], name="usage_metrics_day")],
                "constraints": [models.UniqueConstraint(fields=("entry", "day"), name="usage_metrics_once")],
            },
        ),
    ]
