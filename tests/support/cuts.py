"""Cables between processes and servers that can be cut: each a port here that leads to a port of a server.

`cut` lets nothing through while it lasts, in either direction, and keeps connections open, as a lost network
does; afterwards what was held up arrives.
"""

import asyncio
import threading


class Cables:
    """Runs in a thread of the test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._whole: dict[int, asyncio.Event] = {}
        self._servers: list[asyncio.Server] = []

    def lay(self, port: int, to: int) -> None:
        """From `port` here to the server at `to`."""
        asyncio.run_coroutine_threadsafe(self._lay(port, to), self._loop).result(10)

    def cut(self, port: int) -> None:
        self._loop.call_soon_threadsafe(self._whole[port].clear)

    def mend(self, port: int) -> None:
        self._loop.call_soon_threadsafe(self._whole[port].set)

    def close(self) -> None:
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _lay(self, port: int, to: int) -> None:
        self._whole[port] = asyncio.Event()
        self._whole[port].set()

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    await self._whole[port].wait()
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass
            finally:
                sink.close()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._whole[port].wait()
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
            except OSError:
                writer.close()
                return
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

        self._servers.append(await asyncio.start_server(accept, "127.0.0.1", port))
