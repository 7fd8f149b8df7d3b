"""Whatever a dying or a broken worker leaves in shared memory: who reads it goes on, and its siblings keep
their leases."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from ganger.cluster import Cluster, Command
from ganger.keys import GROUP
from gangerd import health
from gangerd.board import Board, Line
from gangerd.linux.shared_memory import anonymous
from gangerd.master import remains
from gangerd.master.deaths import Deaths
from gangerd.master.inheritance import inherit
from gangerd.messages import decode, encode
from gangerd.page import Page, PageGarbled, PageWriter
from gangerd.passes import Passes
from gangerd.recorder import (
    BOARD_BYTES,
    COUNTERS,
    HALVES_AT,
    HEADER_BYTES,
    MAGIC,
    PAGE_BYTES,
    STATES_AT,
    EntryState,
    HeaderWord,
    Held,
    Word,
    file_bytes,
    page_offset,
)
from gangerd.roles.coordinator import heartbeat
from gangerd.roles.coordinator.cancels import Cancels
from gangerd.roles.coordinator.figures import Figures
from gangerd.roles.coordinator.hand_back import HandBack
from gangerd.roles.coordinator.renewal import Renewal
from gangerd.roles.queues import Queues
from gangerd.worker.sight import Sight
from support import jobs
from support.fuzzing import fuzz, held, odd_int, odd_text
from support.roles import HOST, stage
from support.servers import ClusterServers

WORKER, SIBLING = "00000000000000b1", "00000000000000b2"
words = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 300), st.sampled_from([MAGIC, 2**63, 2**64 - 1]))
edits = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 40), words),
        st.tuples(st.sampled_from([int(word) for word in Word]), words),
        st.tuples(st.integers(STATES_AT[0], STATES_AT[1] + 127), words),
        st.tuples(st.integers(HALVES_AT // 8, PAGE_BYTES // 8 - 1), words),
    ),
    max_size=12,
)


def spoil(page: Page, changes: list[tuple[int, int]]) -> None:
    for at, word in changes:
        page.words[at] = word


@fuzz(60)
@given(
    changes=edits, rows=st.lists(held, max_size=4), states=st.lists(st.integers(0, 6), min_size=4, max_size=4)
)
@example(changes=[], rows=[("mail", 0, 99, "1-1", "j", "t", 1)], states=[1, 1, 1, 1])
@example(changes=[], rows=[("mail", 0, 5, "x", "j", "t", 1)], states=[2, 1, 1, 1])
def test_a_spoiled_page_costs_its_siblings_nothing(
    changes: list[tuple[int, int]],
    rows: list[Any],
    states: list[int],
    fuzz_servers: ClusterServers,
    fuzz_cluster: Cluster,
) -> None:
    fuzz_servers.flush()
    (mail,) = jobs.queue(fuzz_cluster, count=1)
    jobs.push(fuzz_cluster, mail, 3)
    running, done, waiting = jobs.take(fuzz_cluster, mail, HOST, SIBLING)
    with (
        stage(fuzz_servers.url, statsd="127.0.0.1:9", lease_ms=60_000) as at,
        structlog.testing.capture_logs() as lines,
    ):
        honest, broken = at.worker(0, SIBLING), at.worker(1, WORKER)
        broken.hold([Held("mail", 0, 5, "1-1", "j", "t", 1)], [EntryState.HELD])
        if rows:
            blob = msgspec.msgpack.encode(rows)
            for half in (0, 1):
                broken.page.bytes[HALVES_AT + half * 30 * 1024 :][: len(blob)] = blob
                for index, state in enumerate(states[: len(rows)]):
                    broken.page.words[STATES_AT[half] + index] = state
            broken.page.words[Word.BATCH] = 5 << 32 | len(blob) << 9 | len(rows) << 1
        spoil(broken.page, changes)
        honest.hold(
            [jobs.held(one) for one in (running, done, waiting)],
            [EntryState.HELD, EntryState.DONE, EntryState.HELD],
            age_ms=2000,
        )
        honest.run(0, age_ms=1000)
        queues = Queues(fuzz_cluster, jobs.KEYS)
        queues.refresh()
        pages, now_ns = at.role.pages, time.monotonic_ns()
        rows_told = heartbeat.workers(pages, "h", lambda pid: None, now_ns, 1)
        msgspec.json.encode(heartbeat.status(at.config, 1, rows_told, ["mail"]))
        figures = Figures(at.config, at.role.header, fresh=True)
        figures.beat(pages, rows_told, 0)
        figures.close(pages)
        cancelled: list[Any] = []
        Renewal(fuzz_cluster, pages, HOST, lambda *what: cancelled.append(what)).round(queues.find, now_ns)
        hand_back = HandBack(fuzz_cluster, pages, at.recorder_fd, HOST, queues.find)
        cancels = Cancels(pages, lambda told: None, hand_back.take_back)
        cancels.asked(mail, b"1-1", now_ns)
        for _ in range(4):
            cancels.scan(time.monotonic_ns())
            hand_back.scan(time.monotonic_ns())
        health.look(at.recorder_fd)
    assert not [line for line in lines if line["log_level"] == "error" and line["event"] != "job"], lines
    pending = fuzz_cluster.run(Command(mail.slot, ("XPENDING", mail.streams[5], GROUP, "-", "+", 10)))
    assert [(row[0], row[3] <= 2) for row in pending] == [(running.id, True)] and pending[0][2] < 60_000
    assert jobs.seen(fuzz_cluster, mail).waiting == {0: 1} and not cancelled


@fuzz(60)
@given(
    changes=edits,
    header=st.lists(st.tuples(st.integers(0, 16), words), max_size=4),
    cut=st.one_of(st.none(), st.integers(0, file_bytes(1))),
)
def test_a_spoiled_recorder_is_inherited_or_set_aside(
    changes: list[tuple[int, int]],
    header: list[tuple[int, int]],
    cut: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run_dir: Path = tmp_path_factory.mktemp("run")
    memory = bytearray(file_bytes(1))
    top = memoryview(memory)[:HEADER_BYTES].cast("Q")
    top[HeaderWord.MAGIC], top[HeaderWord.SLOTS], top[HeaderWord.INCARNATION] = MAGIC, 1, 0xAA
    Board(memoryview(memory)[HEADER_BYTES : HEADER_BYTES + BOARD_BYTES]).write_directory(
        [Line("mail", 12, 1)]
    )
    page = PageWriter(memoryview(memory)[page_offset(0) :])
    page.begin(WORKER, 2**30, 1, 1)
    page.hold([Held("mail", 0, 5, "1-1", "j", "t", 1)], [EntryState.HELD], 1)
    spoil(page, [change for change in changes if change[0] != Word.PID])
    for at, word in header:
        if at not in (HeaderWord.MASTER_PID, HeaderWord.MASTER_STARTED):
            top[at] = word
    path = run_dir / "recorder-00000000000000aa"
    path.write_bytes(bytes(memory[:cut]))
    os.utime(path, (1, 1))
    health.find(run_dir)
    kept = Deaths(run_dir / "deaths")
    kept.load()
    inherit(run_dir, "own", kept)
    assert not path.exists(), "it was dealt with, or set aside"
    for death in kept.unsent():
        assert decode(encode(death)) == death


board_bytes = st.one_of(
    st.lists(st.tuples(odd_text, odd_int, odd_int), max_size=3).map(msgspec.msgpack.encode),
    st.binary(max_size=40),
)


@fuzz(60)
@given(
    blob=board_bytes,
    word=st.one_of(st.none(), words),
    signals=st.lists(words, max_size=4),
    rows=st.lists(st.tuples(st.integers(0, 8000), words), max_size=12),
    claim=st.tuples(words, words),
)
@example(blob=msgspec.msgpack.encode([("q", 0, 1)]), word=None, signals=[], rows=[], claim=(1, 1))
@example(blob=msgspec.msgpack.encode([("q", 2**40, 1)]), word=None, signals=[], rows=[], claim=(1, 1))
@example(blob=msgspec.msgpack.encode([("{", 1, 1)]), word=None, signals=[], rows=[], claim=(1, 1))
@example(blob=msgspec.msgpack.encode([("q", 1025, 0)]), word=None, signals=[], rows=[], claim=(0, 0))
def test_a_spoiled_board_shows_nothing_or_something(
    blob: bytes, word: int | None, signals: list[int], rows: list[tuple[int, int]], claim: tuple[int, int]
) -> None:
    memory = memoryview(bytearray(BOARD_BYTES))
    board = Board(memory)
    board.write_directory([Line("mail", 12, 1)])
    sight = Sight(board, "ganger")
    board.signal(3, 5)
    assert sight.next() is not None
    memory[64 : 64 + len(blob)] = blob
    memory.cast("Q")[0] = 7 << 33 | len(blob) << 1 if word is None else word
    for index, signal in enumerate(signals):
        board.signals[index] = signal
    for _ in range(3):
        target = sight.next()
        if target is not None:
            sight.drained(target, 0.5)
    sight.anything()
    sight.patrol(3)
    page = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    page.begin(WORKER, 1, 1, 1)
    page.claim_sent(*claim)
    assert not remains.read(page, WORKER, board).garbled
    words_of = memory.cast("Q")
    for at, value in rows:
        words_of[200 * 1024 // 8 + at % (len(words_of) - 200 * 1024 // 8)] = value
    fd = anonymous("recorder", file_bytes(1))
    try:
        passes = Passes(memory, fd)
        for number, _ in passes.rows():
            passes.withdraw(number)
        passes.counts()
        passes.take(0, 0, 1)
        passes.offer(0, [], 1, 1)
    finally:
        os.close(fd)


@fuzz(60)
@given(changes=edits)
def test_a_spoiled_page_is_read_or_garbled(changes: list[tuple[int, int]]) -> None:
    page = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    page.begin(WORKER, 1, 1, 1)
    page.hold([Held("mail", 0, 5, f"{n}-1", "j", "t", 1) for n in range(5)], [EntryState.HELD] * 5, 1)
    spoil(page, changes)
    with contextlib.suppress(PageGarbled):
        seen = page.snapshot()
        assert len(seen.counters) == COUNTERS and len(seen.held) == len(seen.states)
    page.overdue_run()
    page.take_back()
