"""Every error the knowledge base raises on purpose. The docstring of a class is its message."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, ClassVar


class KnowledgeError(Exception):
    """The operation could not be done."""

    #: Stable name for scripts, JSON and tests.
    code: ClassVar[str] = "knowledge_error"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(cleandoc(type(self).__doc__ or "").replace("\n", " ").format(**facts))


class PluginUnknownError(KnowledgeError):
    """There is no plugin {plugin}. This release knows: {known}."""

    code = "plugin_unknown"


class PluginClosedError(KnowledgeError):
    """Plugin {plugin} opens with MVP{required}; this site is at MVP{level}. Plan the move in the console."""

    code = "plugin_closed"


class PluginDependencyError(KnowledgeError):
    """Plugin {plugin} needs {missing}, which is not enabled. Enable that first."""

    code = "plugin_dependency"


class PluginNeededError(KnowledgeError):
    """Plugin {plugin} is needed by {dependants}. Disable that first."""

    code = "plugin_needed"


class PluginConfigurationError(KnowledgeError):
    """The configuration of plugin {plugin} was not changed: {problems}."""

    code = "plugin_configuration"
