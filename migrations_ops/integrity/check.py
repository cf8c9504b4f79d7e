"""What an integrity check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from migrations_ops.models import CheckStatus

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Examples that are kept of what a check finds.
EXAMPLES = 10


@dataclass(frozen=True)
class Example:
    """One thing that was found, and where a person sees it."""

    text: str
    url: str = ""

    def as_json(self) -> dict[str, str]:
        """The example as it is stored."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """How much was found, a few examples of it, and a sentence about it where the count does not say all."""

    count: int = 0
    examples: tuple[Example, ...] = ()
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One named question to the data; it reads and writes nothing."""

    #: Stable: results, alerts and scripts go by it.
    name: str
    title: StrOrPromise
    #: What it means when something is found, and what to do.
    help: StrOrPromise
    #: The verdict when something is found.
    severity: CheckStatus
    #: Counts all and gives at most so many examples, in bounded memory.
    find: Callable[[int], Found]
    #: Name of the cleanup that mends what it finds; empty where a person has to.
    repair: str = ""


@dataclass(frozen=True, kw_only=True)
class HealthFact:
    """One part of the site as the health page shows it."""

    name: str
    title: StrOrPromise
    #: ok, warn or fail: green, amber, red.
    tone: str
    value: str
    hint: str = ""
    #: What to do, where something is to be done.
    remedy: str = ""
    #: Name of the page that says more.
    url_name: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fact for scripts."""
        return {
            "name": self.name,
            "title": str(self.title),
            "tone": self.tone,
            "value": str(self.value),
            "hint": str(self.hint),
            "remedy": str(self.remedy),
        }
