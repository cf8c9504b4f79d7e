"""Mainframe codes in text: recognised, and brought to one canonical form. Text in, dataclasses out."""

from knowledge.codes.finder import (
    Code,
    CodeMatch,
    code_given,
    code_normalize,
    code_places,
    codes_find,
)
from knowledge.codes.table import FORMS, CodeForm, CodeKind

__all__ = [
    "FORMS",
    "Code",
    "CodeForm",
    "CodeKind",
    "CodeMatch",
    "code_given",
    "code_normalize",
    "code_places",
    "codes_find",
]
