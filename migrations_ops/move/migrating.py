"""Makes the site's tables in the database that is described on its input; a process of its own.

python -m migrations_ops.move.migrating < {"database": Django's settings, "level": 2}
"""

from __future__ import annotations

import gc
import json
import sys

import django
from django.conf import settings


def main() -> None:
    """Migrate `default`, which is the database of the order and nothing else, up to the order's level."""
    gc.set_threshold(100_000)  # models of every past state are made; looking for garbage would be a tenth of the work
    order = json.load(sys.stdin)
    settings.DATABASES = {"default": order["database"]}
    django.setup()
    from django.core.management import call_command

    from migrations_ops.gate import site_level_set

    call_command("migrate", "auth", verbosity=0)  # whose first migrations have no room for our permissions' names
    call_command("migrate", "migrations_ops", verbosity=0)
    site_level_set(order["level"])
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
