"""An entry as a file to take along: Markdown for a ticket, PDF for a folder."""

from knowledge.exports.markdown import sheet_markdown
from knowledge.exports.pdf import sheet_pdf
from knowledge.exports.sheet import EntrySheet, entry_sheet

__all__ = ["EntrySheet", "entry_sheet", "sheet_markdown", "sheet_pdf"]
