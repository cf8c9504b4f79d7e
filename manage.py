#!/usr/bin/env python
"""Command line of the site: `python manage.py help` lists every command."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed for this Python. Use .venv/bin/python manage.py (make run makes .venv).")

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
