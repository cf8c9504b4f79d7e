"""The knowledge base as files: everything is read in batches, so memory does not grow with the site."""

from knowledge.transfer.exporting.export import ExportFormat, ExportResult, export_write
from knowledge.transfer.exporting.rows import ExportFilter

__all__ = ["ExportFilter", "ExportFormat", "ExportResult", "export_write"]
