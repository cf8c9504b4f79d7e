"""Passwords of databases, readable only with the site's secret key."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from migrations_ops.errors import PlaceSecretError

#: Keeps this key apart from every other use of the secret key.
PURPOSE = b"password of a database"
#: A secret that begins like this is the password of the URL in that environment variable.
FROM_ENVIRONMENT = "env:"


def password_seal(password: str, *, secret_key: str) -> str:
    """The password encrypted and signed (Fernet); "" stays ""."""
    return _fernet(secret_key).encrypt(password.encode()).decode() if password else ""


def password_open(secret: str, *, secret_key: str, passwords: Mapping[str, str]) -> str:
    """The password behind a secret: "", "env:KB_X" or a sealed one. Raises PlaceSecretError.

    `passwords` holds those of the environment by the name of their variable.
    """
    if not secret:
        return ""
    if secret.startswith(FROM_ENVIRONMENT):
        return _from_environment(secret.removeprefix(FROM_ENVIRONMENT), passwords)
    try:
        return _fernet(secret_key).decrypt(secret).decode()
    except InvalidToken as error:
        reason = "it was sealed with another secret key; start the site with the KB_SECRET_KEY of that time"
        raise PlaceSecretError(reason=reason) from error


def _from_environment(name: str, passwords: Mapping[str, str]) -> str:
    try:
        return passwords[name]
    except KeyError as error:
        raise PlaceSecretError(reason=f"{name} is not set in the environment of this process") from error


def _fernet(secret_key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
