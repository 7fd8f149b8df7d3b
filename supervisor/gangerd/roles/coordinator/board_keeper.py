"""Keeps the host's board true, and rings idle workers when work arrives.

The board says where work waits; the keeper is its one writer. News comes two ways: wake-up messages (at once,
but they may be lost) and the poll (each second, for everything the messages missed). Holds no connection:
subscriptions.py and the poll bring what Redis says.
"""

from collections.abc import Callable, Mapping

from ganger.keys import Partition
from gangerd.board import MAX_SLOTS, Board, Limiting, Line
from gangerd.linux import doorbell

LOWEST = 1


class BoardKeeper:
    """`partitions[i]` is what the board's index i stands for."""

    def __init__(self, board: Board, slots: int, doorbell_fd: int) -> None:
        self._board = board
        self._slots = min(slots, MAX_SLOTS)
        self._bell = doorbell_fd
        self._news = 0
        self.on_news: Callable[[], None] = lambda: None
        """Called when work was seen, before the bell is rung for it."""
        self.lines: list[Line] = board.directory()
        self.partitions: list[Partition] = []
        self._by_channel: dict[bytes, int] = {}

    def publish(
        self,
        queues: Mapping[str, tuple[tuple[Partition, ...], int]],
        limits: Mapping[str, Limiting] | None = None,
    ) -> None:
        """Write the directory: queue -> (its partitions, its weight), and how queues are limited. Queues of
        a predecessor keep their lines and so their indices; new ones come last. Raises ValueError when they
        don't fit, KeyError when an old line's queue is not among them."""
        known = {line.queue for line in self.lines}
        lines = [
            _line(line.queue, line.partitions, queues[line.queue][1], limits or {}) for line in self.lines
        ]
        lines += [
            _line(queue, len(parts), weight, limits or {})
            for queue, (parts, weight) in queues.items()
            if queue not in known
        ]
        self._write(lines)
        self.partitions = [part for line in lines for part in queues[line.queue][0][: line.partitions]]
        self._by_channel = {part.wake: index for index, part in enumerate(self.partitions)}

    def limit(self, limits: Mapping[str, Limiting]) -> None:
        """These queues are limited so from now on, and no others."""
        self._write([_line(line.queue, line.partitions, line.weight, limits) for line in self.lines])

    def _write(self, lines: list[Line]) -> None:
        if lines != self.lines:
            self._board.write_directory(lines)
            self.lines = lines

    def woke(self, channel: bytes, payload: bytes) -> None:
        """A wake-up message: work of this priority came into a drained partition."""
        index = self._by_channel.get(channel)
        if index is None:
            return
        priority = payload[0] - 48 if len(payload) == 1 and payload.isdigit() else 0
        self._board.signal(index, priority or LOWEST)
        self._news += 1

    def heard_of(self, channel: bytes) -> int | None:
        """The partition whose wake-up channel this is, as an index of the board."""
        return self._by_channel.get(channel)

    def looked(self, index: int, priority: int) -> None:
        """The poll's answer for one partition: its highest waiting priority, 0 for none. Where none waits the
        board keeps what it shows: a visit that finds nothing is what arms the next wake-up."""
        if not priority:
            return
        board = self._board
        shown = board.signals[index]
        if shown == board.drained[index] or shown & 0xF != priority:
            board.signal(index, priority)
        self._news += 1

    def unreachable(self, index: int) -> None:
        """Its node is down: no worker shall wait there."""
        self._board.silence(index)

    def ring(self) -> int:
        """Wake as many sleepers as there were news; how many. Call after each batch of news."""
        news, self._news = self._news, 0
        if not news:
            return 0
        self.on_news()
        # Rings that nobody has answered yet count as news: they would pile up while all are busy, and wake
        # the next sleeper once for each.
        times = min(news + doorbell.silence(self._bell), self._board.idle_count(self._slots))
        doorbell.ring(self._bell, times)
        return times

    def idle_count(self) -> int:
        return self._board.idle_count(self._slots)

    def place(self, target: int) -> Partition | None:
        """What a page's claim target, an index of the board, stands for."""
        return self.partitions[target] if 0 <= target < len(self.partitions) else None


def _line(queue: str, partitions: int, weight: int, limits: Mapping[str, Limiting]) -> Line:
    return Line(queue, partitions, weight, *limits.get(queue, Limiting(limited=False)))
