"""The WSGI entry point: `gunicorn kbsite.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kbsite.settings")
application = get_wsgi_application()
