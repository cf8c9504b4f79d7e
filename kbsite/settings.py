"""Settings of the site; the only module that reads the environment.

Everything has a default that is right for a first try on one machine. A site that others reach
sets KB_PRODUCTION=1 and what that asks for; docs/operations.md lists every variable.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from kbsite import admin_look
from kbsite.alerts import alert_address
from kbsite.mail import mail_server
from migrations_ops.place.addresses import url_without_password
from migrations_ops.place.pointer import default_settings

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: str = "0") -> bool:
    """Whether an environment variable is set to 1, true, yes or on."""
    return os.environ.get(name, default).strip().lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str) -> list[str]:
    """The comma separated values of an environment variable."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


#: Everything the site writes: database, secret key, caches, checkpoints, rehearsals.
DATA_DIR = Path(os.environ.get("KB_DATA_DIR", BASE_DIR / "var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)

PRODUCTION = env_flag("KB_PRODUCTION")
DEBUG = env_flag("KB_DEBUG")
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("KB_DEBUG shows source code and settings: unset it in production.")


def secret_key() -> str:
    """The signing key: from KB_SECRET_KEY, else (never in production) one kept in the data folder."""
    if key := os.environ.get("KB_SECRET_KEY"):
        return key
    if PRODUCTION:
        raise ImproperlyConfigured(
            "KB_SECRET_KEY is not set. Give every process of the site the same random value of 50 characters or more."
        )
    path = DATA_DIR / "secret_key"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(64))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process of the same first start was quicker; its key counts
        finally:
            temporary.unlink()
    return path.read_text().strip()


SECRET_KEY = secret_key()
ALLOWED_HOSTS = env_list("KB_ALLOWED_HOSTS", "" if PRODUCTION else "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("KB_CSRF_TRUSTED_ORIGINS", "")
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("KB_ALLOWED_HOSTS is not set: name the hosts that the site answers to.")

# One app per level above MVP1. A folder with a phase.py is a phase; nothing else registers it.
PHASE_APPS = [
    f"knowledge.phases.{path.parent.name}" for path in sorted((BASE_DIR / "knowledge" / "phases").glob("*/phase.py"))
]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "import_export",
    "django_q",
    # Before the apps that it gates: its `migrate` replaces Django's.
    "migrations_ops",
    "knowledge",
    *PHASE_APPS,
]

MIDDLEWARE = [
    "kbsite.health.HealthMiddleware",
    "kbsite.middleware.MovedPageMiddleware",
    "migrations_ops.place.middleware.MovedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "kbsite.middleware.ContentSecurityPolicyMiddleware",
    "kbsite.middleware.ReadersSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "migrations_ops.gate.LevelMiddleware",
    "kbsite.middleware.VisitorLimitMiddleware",
    "kbsite.middleware.LargeFormMiddleware",
    "kbsite.middleware.LoggedOutFormMiddleware",
    "kbsite.middleware.MethodMiddleware",
]

ROOT_URLCONF = "kbsite.urls"
WSGI_APPLICATION = "kbsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "migrations_ops.gate.level_context",
            ],
        },
    }
]

#: Passwords of databases by the variable whose URL has them.
DATABASE_PASSWORDS = {
    name: url_without_password(os.environ[name])[1]
    for name in ("KB_DATABASE_URL", "KB_TARGET_DATABASE_URL")
    if name in os.environ
}
#: Where a move of the database goes when nobody types another address.
TARGET_DATABASE_URL = os.environ.get("KB_TARGET_DATABASE_URL", "")
DATABASES = {
    "default": default_settings(
        os.environ.get("KB_DATABASE_URL"), DATA_DIR, secret_key=SECRET_KEY, passwords=DATABASE_PASSWORDS
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# On disk, because web and worker are separate processes and the worker's heartbeat lives here.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": DATA_DIR / "cache",
    },
}
#: Counts of requests; see knowledge.rates.
RATES_DIR = DATA_DIR / "rates"

Q_CLUSTER = {
    "name": "kb",
    "orm": "default",
    "broker_class": "kbsite.broker.FollowingBroker",
    "workers": 2,
    "queue_limit": 2,
    "bulk": 1,
    "poll": 0.2,
    "timeout": 600,
    "retry": 660,  # above timeout: a task that still runs is never handed out a second time
    "ack_failures": True,
    "max_attempts": 1,  # the run's own lease and journal decide what is tried again
    "recycle": 200,
    "catch_up": False,
    "save_limit": 500,
    "label": "Task queue",
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "templates" / "locale"]
TIME_ZONE = os.environ.get("KB_TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 60 * 60

# Uploads: bounded before anything is parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
#: Forms up to here are read, so that one whose text is too long for its fields comes back with it.
LARGE_FORM_BYTES = 16 * 1024 * 1024
#: The same for people who are not logged in.
VISITOR_FORM_BYTES = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
#: Largest file, in bytes, and most rows that the admin's own import takes.
ADMIN_IMPORT_MAX_BYTES = 10 * 1024 * 1024
ADMIN_IMPORT_MAX_ROWS = 2_000
#: What an import takes at most; see knowledge.transfer.limits.
TRANSFER_LIMITS = {
    "file_bytes": int(os.environ.get("KB_IMPORT_MAX_MB", "2048")) * 1024**2,
    "rows": int(os.environ.get("KB_IMPORT_MAX_ROWS", "2000000")),
    "unpacked_bytes": int(os.environ.get("KB_IMPORT_MAX_UNPACKED_MB", "4096")) * 1024**2,
    "shared_text_bytes": 64 * 1024**2,
    "row_chars": int(os.environ.get("KB_IMPORT_MAX_ROW_CHARS", "1000000")),
    "columns": int(os.environ.get("KB_IMPORT_MAX_COLUMNS", "500")),
}
#: Uploads, reports, failed rows and exports, until retention removes them.
TRANSFER_DIR = DATA_DIR / "transfer"
TRANSFER_DAYS = int(os.environ.get("KB_TRANSFER_DAYS", "30"))
IMPORT_EXPORT_USE_TRANSACTIONS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "kbsite.failures.csrf_failed"
SESSION_COOKIE_HTTPONLY = True
BEHIND_PROXY = env_flag("KB_BEHIND_PROXY")
if PRODUCTION:
    SECURE_SSL_REDIRECT = env_flag("KB_SSL_REDIRECT", "1")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = int(os.environ.get("KB_HSTS_SECONDS", "31536000"))
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    if BEHIND_PROXY:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

_STRICT = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _STRICT}
#: The admin's Alpine components evaluate expressions and set styles; only /admin/ gets this.
ADMIN_CONTENT_SECURITY_POLICY = {
    **_STRICT,
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

#: DejaVuSans.ttf and DejaVuSansMono.ttf, for scripts in PDF files that the standard fonts lack.
PDF_FONT_DIR = Path(os.environ.get("KB_PDF_FONTS", "/usr/share/fonts/truetype/dejavu"))

# Mail: none without a server. The site sends reminders of reviews, and tells when a part of it turns red.
MAIL_FROM = os.environ.get("KB_MAIL_FROM", "")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if _mail_url := os.environ.get("KB_MAIL_URL"):
    if not MAIL_FROM:
        raise ImproperlyConfigured("KB_MAIL_FROM is not set: name the sender of the site's mails.")
    _server = mail_server(_mail_url)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = _server.host, _server.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _server.user, _server.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = _server.starttls, _server.tls
    EMAIL_TIMEOUT = 20
else:
    MAIL_FROM = ""
DEFAULT_FROM_EMAIL = MAIL_FROM or "kb@localhost"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django-q": {"level": "WARNING"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("KB_LOG_LEVEL", "INFO")},
}

UNFOLD = admin_look.UNFOLD

#: Wrong passwords in a minute after which none is looked at: for a name from one address, from one address,
#: for a name from anywhere.
LOGIN_FAILURES_PER_MINUTE = {"name_here": 10, "address": 50, "name": 100}
#: Forms in a minute from an address whose people are not logged in: votes, reports, logs to read.
VISITOR_FORMS_PER_MINUTE = int(os.environ.get("KB_VISITOR_FORMS_PER_MINUTE", "60"))
#: Whether PostgreSQL prepares the questions of searches; not behind a pooler that changes connections between them.
SEARCH_PREPARED = env_flag("KB_PREPARED_SEARCHES", "1")
#: Searches in a minute that the history keeps: of one person or session, and of an address without a login.
SEARCHES_KEPT_PER_MINUTE = int(os.environ.get("KB_SEARCHES_KEPT_PER_MINUTE", "60"))
SEARCHES_KEPT_PER_ADDRESS = int(os.environ.get("KB_SEARCHES_KEPT_PER_ADDRESS", "300"))
#: Requests to the API in a minute: of a token or person, and of an address without either.
API_REQUESTS_PER_MINUTE = int(os.environ.get("KB_API_REQUESTS_PER_MINUTE", "300"))
API_VISITOR_REQUESTS_PER_MINUTE = int(os.environ.get("KB_API_VISITOR_REQUESTS_PER_MINUTE", "60"))

# The engine -----------------------------------------------------------------------------------
OPS_CHECKPOINT_DIR = DATA_DIR / "checkpoints"
OPS_MOVE_DIR = DATA_DIR / "moves"
OPS_REHEARSAL_DIR = DATA_DIR / "rehearsals"
OPS_CLEANUP_DIR = DATA_DIR / "cleanups"
OPS_CLEANUP_KEEP_DAYS = int(os.environ.get("KB_CLEANUP_KEEP_DAYS", "30"))
OPS_ALERT_WEBHOOK = alert_address(os.environ.get("KB_ALERT_WEBHOOK", ""))
#: How many full checkpoints are kept when retention clears old ones; protected ones always stay.
OPS_CHECKPOINTS_KEPT = int(os.environ.get("KB_CHECKPOINTS_KEPT", "10"))

# `python -m kbsite.serve` ----------------------------------------------------------------------
SERVE_BIND = os.environ.get("KB_BIND", "127.0.0.1:8000")
SERVE_WEB_WORKERS = int(os.environ.get("KB_WEB_WORKERS", "2"))
SERVE_WEB_THREADS = int(os.environ.get("KB_WEB_THREADS", "8"))
#: Seconds that web and worker get to finish what they do before they are killed.
SERVE_STOP_SECONDS = float(os.environ.get("KB_STOP_SECONDS", "30"))
#: Seconds without work done, while tasks wait, after which the worker is started again.
SERVE_STUCK_SECONDS = float(os.environ.get("KB_STUCK_SECONDS", "30"))
#: Begins the addresses in mails, which know no request.
_own_address = f"https://{ALLOWED_HOSTS[0].lstrip('.')}" if PRODUCTION else f"http://{SERVE_BIND}"
SITE_URL = os.environ.get("KB_SITE_URL", "").rstrip("/") or _own_address
#: The administrator of a site that has none; a password is made up where none is given.
FIRST_ADMIN = {
    "username": os.environ.get("KB_ADMIN_USER", "admin"),
    "email": os.environ.get("KB_ADMIN_EMAIL", ""),
    "password": os.environ.get("KB_ADMIN_PASSWORD", ""),
}
