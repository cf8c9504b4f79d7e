"""Gives a word that people type to a code that the knowledge base knows."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from knowledge.codes import code_normalize
from knowledge.models import CodeAlias, ErrorCode
from knowledge.phases.mvp2_analytics.errors import AliasUnfitError

ALIAS_CHARS = 100


def alias_add(*, alias: str, code: str) -> ErrorCode:
    """Let `alias` stand for `code`; nothing changes when it does already. Raises AliasUnfitError."""
    word = " ".join(alias.lower().split())
    if not word or len(word) > ALIAS_CHARS or "\x00" in word:
        raise AliasUnfitError(alias=alias[:ALIAS_CHARS], reason=f"it must have 1 to {ALIAS_CHARS} characters.")
    error_code = _known_code(code)
    if error_code is None:
        raise AliasUnfitError(
            alias=word, reason=f"no entry is about the code “{code[:32]}”. Write an entry with that code first."
        )
    try:
        with transaction.atomic():
            CodeAlias.objects.create(alias=word, error_code=error_code)
    except IntegrityError:
        owner = CodeAlias.objects.select_related("error_code").get(alias=word).error_code
        if owner != error_code:
            raise AliasUnfitError(alias=word, reason=f"it stands for {owner.code} already.") from None
    return error_code


def _known_code(code: str) -> ErrorCode | None:
    normalized = code_normalize(code)
    names = [code.strip().replace("\x00", ""), *([normalized.code] if normalized else [])]
    return ErrorCode.objects.filter(code__in=names).order_by("code").first() or (
        ErrorCode.objects.filter(code__iexact=names[0]).first()
    )
