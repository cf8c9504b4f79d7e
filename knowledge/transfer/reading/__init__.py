"""Files as streams of rows: what a file is, by its content, and its rows, one at a time.

Whatever a file holds, it is read in bounded memory, and what is wrong with it is an ImportUnreadableError
or ImportTooLargeError. Only the rows that are read before the damage are known then, so an import reads
the whole file once before it writes anything.
"""

from knowledge.transfer.reading.rows import SourceRow
from knowledge.transfer.reading.source import FileKind, Source, source_open

__all__ = ["FileKind", "Source", "SourceRow", "source_open"]
