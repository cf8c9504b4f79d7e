"""A ZIP that grows by pieces and can be gone on with after any of them; memory does not grow with its members.

The format is that of APPNOTE 6.3.10: 4.3.7 local header, 4.3.12 central directory, 4.3.14 to 4.3.16 its end, 4.5.3
sizes of 64 bits. Each piece of a member is compressed by itself and ends at a byte, so that the bytes are the same
whether or not the work has stopped between two pieces.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from knowledge.transfer.exporting.growing import Growing

PART, DIRECTORY = "part", "directory"
_LEVEL = 3
_UTF8, _DEFLATED, _VERSION, _UNIX = 0x800, 8, 45, 3 << 8
_MODE = 0o644 << 16
_MOST_16, _MOST_32 = 0xFFFF, 0xFFFFFFFF
#: Of the place of the checksum in a local header, and of the sizes in its extra field behind the name.
_CRC_AT, _HEADER_BYTES, _EXTRA_HEAD = 14, 30, 4
_LAST_BLOCK = b"\x03\x00"
_COPY_BYTES = 1024 * 1024


class Packer:
    """The ZIP in the file `part` of a work, whose directory grows beside it. `state` says where it stands."""

    def __init__(self, work: Growing, state: dict[str, Any], made_at: datetime) -> None:
        self.work, self.state = work, state
        state.setdefault("members", 0)
        state.setdefault("open", None)
        year = max(made_at.year, 1980) - 1980
        self.date = year << 9 | made_at.month << 5 | made_at.day
        self.time = made_at.hour << 11 | made_at.minute << 5 | made_at.second // 2

    def begin(self, name: str) -> None:
        """Open a member that comes in pieces."""
        self.state["open"] = {"name": name, "at": self.work.end(PART), "crc": 0, "size": 0, "packed": 0}
        extra = struct.pack("<HHQQ", 1, 16, 0, 0)
        self.work.append(PART, self._local(name, 0, _MOST_32, _MOST_32, extra))

    def write(self, data: bytes) -> None:
        """A piece of the open member."""
        member, packer = self.state["open"], zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        self.work.append(PART, packed)
        member["crc"] = zlib.crc32(data, member["crc"])
        member["size"] += len(data)
        member["packed"] += len(packed)

    def written(self) -> Iterator[bytes]:
        """What the open member holds so far."""
        file, member = self.work.file(PART), self.state["open"]
        file.seek(member["at"] + _HEADER_BYTES + len(member["name"].encode()) + _EXTRA_HEAD + 16)
        unpacker, left = zlib.decompressobj(-15), member["packed"]
        while left:
            data = file.read(min(_COPY_BYTES, left))
            left -= len(data)
            yield unpacker.decompress(data)
        self.work.end(PART)

    def end(self) -> None:
        """Close the open member."""
        member = self.state["open"]
        self.work.append(PART, _LAST_BLOCK)
        member["packed"] += len(_LAST_BLOCK)
        file = self.work.file(PART)
        file.seek(member["at"] + _CRC_AT)
        file.write(struct.pack("<L", member["crc"]))
        file.seek(member["at"] + _HEADER_BYTES + len(member["name"].encode()) + _EXTRA_HEAD)
        file.write(struct.pack("<QQ", member["size"], member["packed"]))
        self.work.end(PART)
        self._listed(**member)
        self.state["open"] = None

    def add(self, name: str, data: bytes) -> None:
        """A small member as a whole."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        packed, at, crc = packer.compress(data) + packer.flush(), self.work.end(PART), zlib.crc32(data)
        self.work.append(PART, self._local(name, crc, len(packed), len(data), b"") + packed)
        self._listed(name=name, at=at, crc=crc, size=len(data), packed=len(packed))

    def finish(self) -> None:
        """Write the directory to the end."""
        start, length = self.work.end(PART), self.work.end(DIRECTORY)
        file, directory = self.work.file(PART), self.work.file(DIRECTORY)
        directory.seek(0)
        shutil.copyfileobj(directory, file, _COPY_BYTES)
        count = self.state["members"]
        if count >= _MOST_16 or start >= _MOST_32 or length >= _MOST_32:
            end = struct.pack(
                "<4sQHHLLQQQQ", b"PK\x06\x06", 44, _UNIX | _VERSION, _VERSION, 0, 0, count, count, length, start
            )
            file.write(end + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + length, 1))
        short = min(count, _MOST_16)
        sizes = (min(length, _MOST_32), min(start, _MOST_32))
        file.write(struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, short, short, *sizes, 0))

    def _local(self, name: str, crc: int, packed: int, size: int, extra: bytes) -> bytes:
        encoded = name.encode()
        head = struct.pack(
            "<4sHHHHHLLLHH",
            *(b"PK\x03\x04", _VERSION, _UTF8, _DEFLATED, self.time, self.date),
            *(crc, packed, size, len(encoded), len(extra)),
        )
        return head + encoded + extra

    def _listed(self, *, name: str, at: int, crc: int, size: int, packed: int) -> None:
        encoded = name.encode()
        large = [value for value in (size, packed, at) if value >= _MOST_32]
        extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        short = (min(packed, _MOST_32), min(size, _MOST_32))
        head = struct.pack(
            "<4sHHHHHHLLLHHHHHLL",
            *(b"PK\x01\x02", _UNIX | _VERSION, _VERSION, _UTF8, _DEFLATED, self.time, self.date),
            *(crc, *short, len(encoded), len(extra), 0, 0, 0, _MODE, min(at, _MOST_32)),
        )
        self.work.append(DIRECTORY, head + encoded + extra)
        self.state["members"] += 1
