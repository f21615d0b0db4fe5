"""The bridge with tests/fault/libfault.so before the system: calls fail as the test says, while it runs.

    bridge = FaultyBridge(xmpp, broker).start()
    with bridge.failing("write", errno.ENOSPC):
        ...
    assert bridge.hits("write")

With `trace`, all that it writes to its database is written down with what was synced, and power_cut() leaves of it what a power cut would have.
"""
import contextlib
import functools
import mmap
import os
import pathlib
import random
import struct
import subprocess

from bridge import ROOT, Bridge, binary

KINDS = ("write", "sync", "sync_hang", "open", "socket", "short", "interrupt", "clock", "resolve")  # as enum fault_kind
CELLS = struct.Struct("=4q")  # value, skip, left, hits
PATH_SIZE = 256
HEAD = struct.Struct("=IIqq")  # of a record of the trace: what, bytes of the name, offset, size
SECTOR = 512


@functools.lru_cache
def preload():
    """libfault.so of the same build, behind the runtime of the sanitizer that the program wants to have first."""
    ours = os.environ.get("SPANDREL_FAULT_LIB")
    places = [pathlib.Path(binary()).parent / "tests" / "fault", ROOT / "build" / "tests" / "fault"]
    library = ours or next((str(place / "libfault.so") for place in places if (place / "libfault.so").exists()), None)
    assert library, f"no libfault.so in {places}: build the tests (cmake without -DSPANDREL_TESTS=OFF), or name it in SPANDREL_FAULT_LIB"
    needed = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout.splitlines()
    runtime = [line.split("=>")[1].split()[0] for line in needed if "libasan" in line]
    return " ".join([*runtime, library])


class FaultyBridge(Bridge):
    """`concerns`: a part of the names of the files whose writes and syncs may fail; `trace`: for power_cut()."""

    def __init__(self, *args, concerns="/spandrel.db", trace=False, **how):
        super().__init__(*args, **how)
        self._control = self.directory / "fault"
        self._control.write_bytes(bytes(len(KINDS) * CELLS.size) + concerns.encode().ljust(PATH_SIZE, b"\0"))
        with open(self._control, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._trace = self.directory / "trace" if trace else None

    def environment(self):
        if self._trace:
            self._trace.write_bytes(b"")
            self._base = self._files()
        traced = {"SPANDREL_FAULT_TRACE": str(self._trace)} if self._trace else {}
        return {**super().environment(), "LD_PRELOAD": preload(), "SPANDREL_FAULT": str(self._control), **traced}

    # Faults.
    def fault(self, kind, value, skip=0, left=-1):
        """0 ends it; `skip` calls pass first; `left` calls fail, or all."""
        at = KINDS.index(kind) * CELLS.size
        hits = CELLS.unpack_from(self._map, at)[3]
        struct.pack_into("=q", self._map, at, 0)
        CELLS.pack_into(self._map, at, 0, skip, left, hits)
        struct.pack_into("=q", self._map, at, value)

    def hits(self, kind):
        """How often it has happened."""
        return CELLS.unpack_from(self._map, KINDS.index(kind) * CELLS.size)[3]

    @contextlib.contextmanager
    def failing(self, kind, value, **how):
        self.fault(kind, value, **how)
        try:
            yield
        finally:
            self.fault(kind, 0)

    # A power cut.
    def _files(self):
        return {file.name: bytearray(file.read_bytes()) for file in self.state.glob("spandrel.db*")}

    def _records(self):
        data, at = self._trace.read_bytes(), 0
        while at + HEAD.size <= len(data):
            what, name, offset, size = HEAD.unpack_from(data, at)
            at += HEAD.size
            file = data[at:at + name].decode()
            at += name
            content = b""
            if chr(what) == "W":
                content = data[at:at + size]
                at += size
            if at > len(data):
                return  # it was killed while it wrote this
            yield chr(what), file, offset, size, content

    def power_cut(self, rng=random):
        """After kill(): of what was written since a file's last sync, any sectors may be there. What was never synced may not even be a file."""
        records = list(self._records())
        synced = {file: n for n, (what, file, *_) in enumerate(records) if what == "S"}
        files = self._base
        dropped = 0
        for n, (what, file, offset, size, content) in enumerate(records):
            if what == "U":  # ordered, as the journals of file systems are
                files.pop(file, None)
                continue
            data = files.setdefault(file, bytearray())
            surely = n < synced.get(file, -1)
            if what == "T" and (surely or rng.random() < 0.5):
                del data[size:]
                data.extend(bytes(size - len(data)))
            for begin in range(0, len(content), SECTOR) if what == "W" else ():
                if not surely and rng.random() < 0.5:
                    dropped += 1
                    continue
                part = content[begin:begin + SECTOR]
                data.extend(bytes(max(0, offset + begin - len(data))))
                data[offset + begin:offset + begin + len(part)] = part
        for file, data in files.items():
            (self.state / file).write_bytes(data)
        for path in self.state.glob("spandrel.db*"):
            if path.name not in files:
                path.unlink()
        return dropped
