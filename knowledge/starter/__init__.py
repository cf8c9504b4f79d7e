"""The starter knowledge base: entries and codes as data files, and what loads them."""

from knowledge.starter.loader import StarterLoad, starter_load, starter_read

__all__ = ["StarterLoad", "starter_load", "starter_read"]
