"""What is made of a text, kept for a while: in a block of `texts_remembered` each function does each text once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

_Result = TypeVar("_Result")
_More = ParamSpec("_More")

#: Name of a function -> text -> what it made of it.
Remembered = dict[str, dict[str, Any]]

_remembered: ContextVar[Remembered | None] = ContextVar("texts_remembered", default=None)


def remembered(
    function: Callable[Concatenate[str, _More], _Result],
) -> Callable[Concatenate[str, _More], _Result]:
    """The function, which in a block of `texts_remembered` is asked once for a text."""
    name = function.__name__

    @wraps(function)
    def once(text: str, /, *args: _More.args, **kwargs: _More.kwargs) -> _Result:
        known = _remembered.get()
        if known is None:
            return function(text, *args, **kwargs)
        results: dict[str, _Result] = known.setdefault(name, {})
        if text not in results:
            results[text] = function(text, *args, **kwargs)
        return results[text]

    return once


@contextmanager
def texts_remembered(known: Remembered | None = None) -> Iterator[Remembered]:
    """In this block each text is looked through once; `known` is what somebody has found out already.

    All of it stays in memory until the block ends, so it is for a batch, not for a whole file.
    """
    results: Remembered = {} if known is None else known
    token = _remembered.set(results)
    try:
        yield results
    finally:
        _remembered.reset(token)
