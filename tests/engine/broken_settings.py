"""Settings of a site whose rehearsals fail: what is restored there cannot be written."""

import os

from kbsite.settings import *  # noqa: F403
from migrations_ops import archive

if "rehearsals" in os.environ["KB_DATA_DIR"]:

    def refuse(*args: object, **options: object) -> int:
        raise OSError("Rehearsals cannot write")

    archive.rows_insert = refuse
