"""A PostgreSQL server to try the move of the database with: `make demo-postgres`.

From the machine's own programs or from a wheel, on this machine only, with the data in a temporary
folder that goes when it is stopped.
"""

from __future__ import annotations

import signal
from urllib.parse import urlsplit

from tests.postgres import PostgresMissingError, postgres_server

DATABASE = "kb_demo"


def announce(url: str) -> str:
    """What a person types into the form of the console."""
    parts = urlsplit(url)
    return (
        "\nPostgreSQL is running. In the console, choose Move the database and type\n\n"
        f"  Address    postgresql://{parts.username}@{parts.hostname}:{parts.port}/{DATABASE}\n"
        f"  Password   {parts.password}\n\n"
        "Its data is gone when you stop it with Ctrl-C: move the site back first."
    )


def main() -> int:
    """Start it, say where it is, wait for Ctrl-C."""
    try:
        server = postgres_server()
    except PostgresMissingError as error:
        print(error)
        return 1
    server.create_database_named(DATABASE)
    print(announce(server.url(DATABASE)), flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    raise SystemExit(main())
