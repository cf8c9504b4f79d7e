"""Pasted logs: the codes in them with line, step and program, and the entries that help. Nothing is kept."""

from knowledge.logs.advice import LogAdvice, log_advice
from knowledge.logs.draft import log_draft_create, log_excerpt
from knowledge.logs.reading import LOG_BYTES, LogCode, LogReport, LogStep, log_read, log_text
from knowledge.logs.weights import LogRole

__all__ = [
    "LOG_BYTES",
    "LogAdvice",
    "LogCode",
    "LogReport",
    "LogRole",
    "LogStep",
    "log_advice",
    "log_draft_create",
    "log_excerpt",
    "log_read",
    "log_text",
]
