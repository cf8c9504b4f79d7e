"""The WSGI entry point: `gunicorn kbsite.wsgi`."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
application = get_wsgi_application()

# What is loaded now stays: Python's collector need not look through all of it again, which takes a tenth of a second
# of whoever asks for a page just then.
get_resolver().url_patterns  # noqa: B018 - loads the pages
gc.collect()
gc.freeze()
