"""Checks, repairs and cleanups of the knowledge base's own data; the engine runs them."""

from knowledge.integrity.checks import CHECKS
from knowledge.integrity.cleanups import CLEANUPS
from knowledge.integrity.health import HEALTH

__all__ = ["CHECKS", "CLEANUPS", "HEALTH"]
