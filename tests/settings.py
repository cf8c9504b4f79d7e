"""Settings of the test processes: a data folder and a database of their own, thrown away at the end.

KB_TEST_DATABASE=postgresql runs the suite on PostgreSQL (sqlite is the default). Every other KB_
variable of the caller is ignored, so that nobody's site can be touched.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

for _name in [name for name in os.environ if name.startswith("KB_") and not name.startswith("KB_TEST_")]:
    del os.environ[_name]

_folder = Path(tempfile.mkdtemp(prefix="kb-tests-"))
_owner = os.getpid()


def _folder_remove() -> None:
    if os.getpid() == _owner:  # a forked child runs this too and must leave the folder
        shutil.rmtree(_folder, ignore_errors=True)


atexit.register(_folder_remove)
os.environ["KB_DATA_DIR"] = str(_folder)
# Tests search more in a minute than people do, and as the same few.
os.environ["KB_SEARCHES_KEPT_PER_MINUTE"] = os.environ["KB_SEARCHES_KEPT_PER_ADDRESS"] = "100000"
# Each program logs to its own place; tests read their log through pytest.
os.environ["KB_LOG_LEVEL"] = "WARNING"

if os.environ.get("KB_TEST_DATABASE", "sqlite") == "postgresql":
    from tests.postgres import postgres_server

    os.environ["KB_DATABASE_URL"] = postgres_server().url("postgres")

from kbsite.settings import *  # noqa: E402, F403
from kbsite.settings import DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file and not memory: threads, second connections and write-ahead logging are the real ones.
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "test.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"kb_test_{_owner}"}
    DATABASES["default"]["CONN_MAX_AGE"] = 0  # threads of the live server would hold theirs

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
