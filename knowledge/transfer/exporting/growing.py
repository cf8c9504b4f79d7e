"""Files of a work that only grow, cut back to the sizes that were committed when the work goes on."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Self


class WorkLostError(Exception):
    """The files of a work that was begun are no longer there, or not whole."""


class WorkBusyError(Exception):
    """Another process has the files of a work open: one that was slow, and does not know yet that it was replaced."""


class Growing:
    """The files of one work in a folder of its own, which only one process has at a time.

    Raises WorkLostError when a file is shorter than it was, WorkBusyError.
    """

    def __init__(self, folder: Path, sizes: dict[str, int]) -> None:
        self.folder, self.open = folder, dict[str, BinaryIO]()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._cut_back(sizes)
        except BlockingIOError as error:
            self.close()
            raise WorkBusyError(str(folder)) from error
        except BaseException:
            self.close()
            raise

    def _cut_back(self, sizes: dict[str, int]) -> None:
        folder = self.folder
        for path in folder.iterdir():
            if path.name not in sizes:
                path.unlink()
        for name, size in sizes.items():
            if not (folder / name).exists() or self.end(name) < size:
                raise WorkLostError(name)
            self.file(name).truncate(size)
            self.file(name).seek(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def file(self, name: str) -> BinaryIO:
        """A file of the work for reading and writing, made when missing."""
        if name not in self.open:
            path = self.folder / name
            path.touch(mode=0o600)
            self.open[name] = path.open("r+b")
            self.open[name].seek(0, os.SEEK_END)
        return self.open[name]

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file."""
        self.file(name).write(data)

    def end(self, name: str) -> int:
        """The size of a file; its place is at its end afterwards."""
        return self.file(name).seek(0, os.SEEK_END)

    def behind(self, name: str, place: int) -> bytes:
        """What a file holds behind a place; nothing is taken out of it, for the work may go on from before."""
        file = self.file(name)
        file.seek(place)
        content = file.read()
        self.end(name)
        return content

    def synced(self) -> dict[str, int]:
        """Everything that was written is on the disk; the size of each file."""
        sizes = {}
        for name, file in self.open.items():
            file.flush()
            os.fsync(file.fileno())
            sizes[name] = self.end(name)
        return sizes

    def close(self) -> None:
        """Close the files, which stay, and let another process have them."""
        try:
            for file in self.open.values():
                file.close()
        finally:  # a disk that is full refuses what a file has not written yet
            self.open.clear()
            if self.lock >= 0:
                os.close(self.lock)
                self.lock = -1
