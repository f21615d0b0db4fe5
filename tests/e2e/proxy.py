#!/usr/bin/env python3
"""A TCP proxy, a process of its own, that does to its connections what networks do: between the bridge and a server.

    with Proxy(xmpp.component_port) as proxy:
        bridge = Bridge(proxy.before(xmpp), broker).start()
        proxy.cut("rst")

`up` is from the bridge to the server, `down` the way back.
"""
import asyncio
import contextlib
import copy
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys

from servers import HOST, _own_child

CHUNK = 16384
SLICE = 0.02  # seconds, of what is slow


class Proxy:
    """What a test holds. Every call returns when the proxy does so. `tap`: a directory where all that it forwards is written to, as taps() has it."""

    def __init__(self, to, connections="pass", tap=None):
        self._to, self._connections, self._tap = to, connections, tap
        self._process = None
        self.port = None

    def __enter__(self):
        self._process = subprocess.Popen([sys.executable, __file__, str(self._to), *([str(self._tap)] if self._tap else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         preexec_fn=_own_child)
        self.port = json.loads(self._process.stdout.readline())["port"]
        self.connections(self._connections)
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def before(self, server):
        """The server as it is seen through the proxy, for Bridge."""
        seen = copy.copy(server)
        if hasattr(seen, "component_port"):
            seen.component_port = self.port
        else:
            seen.port = self.port
        return seen

    def taps(self, way):
        """What each connection has forwarded that way, in their order."""
        return [file.read_bytes() for file in sorted(pathlib.Path(self._tap).glob(f"*.{way}"))]

    def _tell(self, **what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def passes(self):
        """As a wire. Connections that have lost bytes stay dead."""
        self._tell(mode="pass")

    def holds(self):
        """Takes nothing and gives nothing: what is sent fills the buffers of the kernel, and comes through when it passes again."""
        self._tell(mode="hold")

    def drops(self):
        """Takes all and loses it, both ways; nobody is told (half-open). For the connections of now that is for ever."""
        self._tell(mode="drop")

    def slow(self, rate):
        """So many bytes a second, each way."""
        self._tell(mode="slow", rate=rate)

    def splits(self):
        """Every byte comes alone."""
        self._tell(mode="split")

    def delays(self, ms):
        """Each way."""
        self._tell(mode="delay", ms=ms)

    def cut(self, how="rst"):
        """Ends all connections, with RST or FIN; the number of them."""
        return self._tell(cut=how)["cut"]

    def cut_after(self, size, way="up", how="rst"):
        """Once: the connection that has had so many more bytes that way ends, right behind them."""
        self._tell(cut_after=size, way=way, how=how)

    def connections(self, how):
        """New ones: "pass"; "refuse": end at once; "dead": are taken, and never hear anything."""
        self._tell(connections=how)

    def stat(self):
        """Of its life: connections, up, down (bytes forwarded); open: of now."""
        return self._tell()


class Connection:
    """Two ways."""

    def __init__(self, proxy, client, server):
        self.proxy, self.number = proxy, proxy.taken
        self.writers = {"up": server[1], "down": client[1]}
        self.readers = {"up": client[0], "down": server[0]}
        self.lost = False

    async def run(self):
        self.proxy.open.add(self)
        await asyncio.gather(self._copy("up"), self._copy("down"))
        self.end("fin")

    def end(self, how):
        self.proxy.open.discard(self)
        for writer in self.writers.values():
            if how == "rst":
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    async def _copy(self, way):
        writer = self.writers[way]
        name = f"{self.proxy.tap}/{self.number:06}.{way}" if self.proxy.tap else os.devnull
        with contextlib.suppress(OSError), open(name, "wb", buffering=0) as tap:
            while data := await self.readers[way].read(CHUNK):
                await self.proxy.goes_on()
                self.lost = self.lost or self.proxy.mode == "drop"
                if self.lost:
                    continue
                limit = self.proxy.limit.get(way)
                if limit and limit[0] <= len(data):
                    del self.proxy.limit[way]
                    writer.write(data[:limit[0]])
                    await asyncio.wait_for(writer.drain(), 5)
                    self.end(limit[1])
                    return
                if limit:
                    limit[0] -= len(data)
                tap.write(data)
                await self._forward(writer, data)
                self.proxy.bytes[way] += len(data)
            if not self.lost:
                writer.write_eof()

    async def _forward(self, writer, data):
        proxy = self.proxy
        step = {"split": 1, "slow": max(1, int(proxy.rate * SLICE))}.get(proxy.mode, len(data))
        if proxy.mode == "delay":
            await asyncio.sleep(proxy.ms / 1000)  # lint: the delay is the fault
        for begin in range(0, len(data), step):
            writer.write(data[begin:begin + step])
            await writer.drain()
            await asyncio.sleep(SLICE if proxy.mode == "slow" else 0)  # lint: slowness is the fault
            if proxy.mode in ("hold", "drop"):
                await proxy.goes_on()
                if proxy.mode == "drop":
                    self.lost = True
                    return


class Process:
    """The proxy's own side."""

    def __init__(self, to, tap=None):
        self.to = to
        self.tap = tap
        self.mode, self.rate, self.ms, self.how = "pass", 1, 0, "pass"
        self.limit = {}  # way: [bytes, how]
        self.open = set()
        self.bytes = {"up": 0, "down": 0}
        self.taken = 0
        self._moves = asyncio.Event()
        self._moves.set()

    async def goes_on(self):
        await self._moves.wait()

    async def take(self, reader, writer):
        self.taken += 1
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            if self.how == "dead":
                while await reader.read(CHUNK):
                    pass
            elif self.how == "pass":
                server = await asyncio.open_connection(HOST, self.to, limit=CHUNK)
                for side in (writer, server[1]):
                    side.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await Connection(self, (reader, writer), server).run()
        writer.close()

    def told(self, what):
        self.mode = what.get("mode", self.mode)
        self.rate = what.get("rate", self.rate)
        self.ms = what.get("ms", self.ms)
        self.how = what.get("connections", self.how)
        if self.mode == "hold":
            self._moves.clear()
        else:
            self._moves.set()
        if "cut_after" in what:
            self.limit[what["way"]] = [what["cut_after"], what["how"]]
        cut = list(self.open) if "cut" in what else []
        for connection in cut:
            connection.end(what["cut"])
        if self.mode == "drop":
            for connection in self.open:
                connection.lost = True
        return {"cut": len(cut), "connections": self.taken, "open": len(self.open), **self.bytes}

    async def run(self):
        server = await asyncio.start_server(self.take, HOST, 0, limit=CHUNK)
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        ended = asyncio.get_running_loop().create_future()

        def line():
            text = sys.stdin.readline()
            if text:
                print(json.dumps(self.told(json.loads(text))), flush=True)
            elif not ended.done():
                ended.set_result(None)

        asyncio.get_running_loop().add_reader(sys.stdin, line)
        await ended


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def main():
        await Process(int(sys.argv[1]), *sys.argv[2:]).run()

    asyncio.run(main())
