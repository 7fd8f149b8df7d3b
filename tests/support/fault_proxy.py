"""A proxy between callers and Redis that does, to one command of its choice, what a bad network does.

Each server gets a port of ours; a caller that is told one of them meets the others by it too, for addresses
in replies (CLUSTER SLOTS, CLUSTER SHARDS, MOVED, ASK) are exchanged. So servers need no settings of their
own, and whoever is told their true ports goes past the proxy. Commands are counted over all connections in
the order in which they arrive, but for the greeting of a connection (AUTH, INFO, CLUSTER, PING...).

`watch` starts the count, `arm` says what shall befall which command (0 = the first), `sent` is what came.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from support import resp
from support.faults import Fault, is_greeting, names, title

SLOW_S = 0.03


class FaultProxy:
    """Runs in a thread of the test; all its methods are for the test."""

    def __init__(self) -> None:
        names()
        self.ports: dict[int, int] = {}  # a server's -> ours
        self.sent: list[str] = []
        self.taken = ""
        """Which command the fault befell."""
        self.fault: Fault | None = None
        self.at = -1
        self.held: list[_Pair] = []
        self.open: set[_Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []

    def lay(self, to: int) -> int:
        """The port here that leads to the server at `to`."""
        if to not in self.ports:
            self.ports[to] = self._run(self._lay(to))
        return self.ports[to]

    def watch(self) -> None:
        """Count from now on."""
        self.sent, self.taken, self.fault = [], "", None

    def arm(self, fault: Fault, at: int) -> None:
        """The command number `at` since `watch` meets this."""
        self.at, self.fault = at, fault

    def deliver(self) -> bool:
        """What was held up arrives, and all that is under way is executed before this returns; whether
        anything was held up."""
        return bool(self._run(self._deliver()))

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # ---- in the thread ---------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _lay(self, to: int) -> int:
        server = await self._loop.create_server(lambda: _Near(self, to), "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _deliver(self) -> bool:
        held, self.held = self.held, []
        for pair in held:
            await pair.deliver()
        for pair in list(self.open):
            await pair.rest()
        return bool(held)

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for pair in list(self.open):
            pair.close()

    def fault_of(self, words: list[bytes]) -> Fault | None:
        """Count a command; what befalls it."""
        if is_greeting(words):
            return None
        self.sent.append(title(words))
        if self.fault is None or len(self.sent) - 1 != self.at:
            return None
        self.taken = self.sent[-1]
        return self.fault


class _Near(asyncio.Protocol):
    """The end towards a caller, which makes its far end."""

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        self._pair = _Pair(proxy, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._pair.near = transport
        self._pair.connect()

    def data_received(self, data: bytes) -> None:
        self._pair.asked(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._pair.left()


class _Far(asyncio.Protocol):
    """The end towards a server."""

    def __init__(self, pair: "_Pair") -> None:
        self._pair = pair

    def data_received(self, data: bytes) -> None:
        self._pair.answered(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._pair.close()


class _Pair:
    """A connection: its two ends, and the commands under way on it, each with what befalls it."""

    def __init__(self, proxy: FaultProxy, port: int) -> None:
        self.proxy = proxy
        proxy.open.add(self)
        self.near: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._port = port
        self._asked = bytearray()
        self._answered = bytearray()
        self._waiting: list[tuple[list[bytes], Fault | None]] = []
        self._late: list[tuple[list[bytes], bytes]] = []
        self._early = b""
        """What the server is to get as soon as it is there."""
        self._mute = self._stopped = self._raw = False
        self._slow: list[bytes] | None = None
        self._quiet = asyncio.Event()
        self._dialling: asyncio.Task[None] | None = None

    def connect(self) -> None:
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: _Far(self), "127.0.0.1", self._port)
        except OSError:
            self.close()
            return
        self._far = transport
        transport.write(self._early)
        self._early = b""

    def asked(self, data: bytes) -> None:
        """From the caller."""
        self._asked += data
        while (end := resp.end_of(self._asked)) is not None and end:
            frame = bytes(self._asked[:end])
            del self._asked[:end]
            words = resp.words(frame)
            if words[0].upper().endswith(b"SUBSCRIBE"):
                self._raw = True  # from here on nobody can say what answers what
            fault = self.proxy.fault_of(words)
            if fault is Fault.REQUEST_LATE:
                self.proxy.held.append(self)
                self._stopped = self._mute = True
            elif fault is Fault.REQUEST_LOST:
                self._stopped = self._mute = True
                continue
            if fault is Fault.REQUEST_CUT:
                self._cut()
                return
            if self._stopped:
                self._late.append((words, frame))
            else:
                self._forward(words, frame, fault)
            if not self._asked:
                return

    def answered(self, data: bytes) -> None:
        """From the server."""
        if self._raw and not self._waiting:
            return self._tell(data)
        self._answered += data
        while self._answered and (end := resp.end_of(self._answered)) is not None:
            frame = bytes(self._answered[:end])
            del self._answered[:end]
            words, fault = self._waiting.pop(0) if self._waiting else ([b""], None)
            if words[0].upper() == b"CLUSTER":
                frame = resp.readdressed(frame, self.proxy.ports)
            self._reply(resp.redirected(frame, self.proxy.ports), fault)
        if not self._waiting:
            self._quiet.set()
            if self.near is None:
                self.left()

    async def deliver(self) -> None:
        """What was held up goes to the server; until that has answered."""
        if self._dialling is not None:
            await self._dialling
        late, self._late = self._late, []
        for words, frame in late:
            self._forward(words, frame, None)
        await self.rest()
        self.close()

    async def rest(self) -> None:
        """Until the server has answered everything."""
        if self._waiting:
            await asyncio.wait_for(self._quiet.wait(), 5)

    def left(self) -> None:
        """The caller has gone. What it sent may still be on its way."""
        self.near = None
        if self not in self.proxy.held and not self._waiting:
            self.close()

    def _cut(self) -> None:
        if self.near is not None:
            self.near.close()
        self.left()

    def close(self) -> None:
        self.proxy.open.discard(self)
        for end in (self.near, self._far):
            if end is not None:
                end.close()
        if self._dialling is not None:
            self._dialling.cancel()
        self._quiet.set()

    def _forward(self, words: list[bytes], frame: bytes, fault: Fault | None) -> None:
        self._quiet.clear()
        self._waiting.append((words, fault))
        if self._far is None:
            self._early += frame
        else:
            self._far.write(frame)

    def _reply(self, frame: bytes, fault: Fault | None) -> None:
        match fault:
            case Fault.REPLY_LOST:
                self._mute = True
            case Fault.REPLY_CUT:
                self._cut()
            case Fault.HALF_REPLY:
                self._tell(frame[: max(1, len(frame) // 2)])
                self._cut()
            case Fault.CUT_AFTER:
                self._tell(frame)
                self._cut()
            case Fault.SLOW_REPLY:
                self._slow = [frame]
                asyncio.get_running_loop().call_later(SLOW_S, self._catch_up)
            case _:
                self._tell(frame)

    def _catch_up(self) -> None:
        frames, self._slow = self._slow or [], None
        for frame in frames:
            self._tell(frame)

    def _tell(self, frame: bytes) -> None:
        if self._slow is not None:
            self._slow.append(frame)
        elif self.near is not None and not self._mute and not self.near.is_closing():
            self.near.write(frame)
