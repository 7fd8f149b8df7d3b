"""The log: machine-readable, readable, secret-free, and never in anyone's way."""

import fcntl
import json
import os
import pty
import time
from collections.abc import Callable
from typing import Any

from gangerd import log
from support import children


def lines_of(body: Callable[[int], None]) -> list[str]:
    """What a child that logs by `body(fd)` has written into a pipe."""
    reader, writer = os.pipe()

    def child() -> None:
        body(writer)
        log.flush(5)

    pid = children.fork(child)
    os.close(writer)
    data = b""
    while part := os.read(reader, 1 << 16):
        data += part
    os.close(reader)
    assert os.waitpid(pid, 0)[1] == 0
    return data.decode().splitlines()


def events_of(body: Callable[[int], None]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(body)]


def test_a_line_is_json_off_a_terminal_and_names_its_process() -> None:
    early = log.get(slot=3)

    def body(fd: int) -> None:
        log.configure(role="master", fd=fd)
        early.bind(pid_of_worker=7).info(log.WORKER_READY, role="any", ran_ms=1.5)
        early.debug(log.SIGNAL_RECEIVED)

    [event] = events_of(body)
    assert list(event)[:4] == ["at", "level", "event", "process"]
    at, pid = event.pop("at"), event.pop("pid")
    assert at.endswith("Z") and pid != os.getpid()
    assert event == {
        "level": "info",
        "event": "worker.ready",
        "process": "master",
        "slot": 3,
        "pid_of_worker": 7,
        "role": "any",
        "ran_ms": 1.5,
    }


def test_a_terminal_gets_readable_lines() -> None:
    controller, terminal = pty.openpty()

    def body() -> None:
        log.configure(role="master", fd=terminal)
        log.get().warning(log.WORKER_STUCK, slot=1)
        log.flush(5)

    assert os.waitpid(children.fork(body), 0)[1] == 0
    line = os.read(controller, 1 << 16).decode()
    assert "worker.stuck" in line and "{" not in line


def test_the_level_is_respected_by_earlier_loggers() -> None:
    logger = log.get()

    def body(fd: int) -> None:
        log.configure("json", "warning", role="x", fd=fd)
        for write in (logger.debug, logger.info, logger.warning, logger.error):
            write(log.SERVING)

    assert [event["level"] for event in events_of(body)] == ["warning", "error"]


def test_no_secret_reaches_the_log() -> None:
    def body(fd: int) -> None:
        for format in ("json", "console"):
            log.configure(format, role="x", fd=fd)
            logger = log.get(redis="redis://user:hunter2@host:1,host:2/0")
            logger.info(
                log.REDIS_DOWN,
                urls=["rediss://:hunter2@h"],
                nested={"a": ("statsd://u:p@hunter2@h",), "password": "hunter2"},
                text="cannot reach redis://u:hunter2@h:1 now",
                error=ValueError("redis://u:hunter2@h"),
                password="hunter2",
                data=b"redis://u:hunter2@h",
            )
            try:
                raise RuntimeError("redis://u:hunter2@h refused")
            except RuntimeError:
                logger.exception(log.INTERNAL_ERROR)
            log.flush(5)

    text = "\n".join(lines_of(body))
    assert "hunter2" not in text
    assert text.count("refused") == 4 and "host:1,host:2" in text and "***@h:1 now" in text


def test_a_pipe_nobody_reads_stops_nobody_and_the_loss_is_reported() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)

    def body() -> None:
        log.configure(role="master", fd=writer)
        logger = log.get()
        slowest_s = 0.0
        for number in range(10_500):
            before_s = time.monotonic()
            logger.info(log.SERVING, number=number)
            slowest_s = max(slowest_s, time.monotonic() - before_s)
        assert slowest_s < 1.0
        before_s = time.monotonic()
        assert not log.flush(0.05) and time.monotonic() - before_s < 1.0
        assert log.dropped() > 300
        os.write(done_writer, b"%d" % log.dropped())
        assert log.flush(30)

    done_reader, done_writer = os.pipe()
    pid = children.fork(body)
    os.close(writer)
    dropped = int(os.read(done_reader, 100))
    data = b""
    while part := os.read(reader, 1 << 16):
        data += part
    assert os.waitpid(pid, 0)[1] == 0
    events = [json.loads(line) for line in data.splitlines()]
    told = [event["count"] for event in events if event["event"] == log.LINES_DROPPED]
    assert sum(told) == dropped
    assert len(events) == 10_500 - dropped + len(told)


def test_a_forked_child_logs_with_its_own_pid_and_nothing_of_its_parents() -> None:
    def body(fd: int) -> None:
        log.configure(role="template", fd=fd)
        logger = log.get()
        for number in range(200):
            logger.info(log.TEMPLATE_READY, number=number)

        def worker() -> None:
            log.after_fork(role="worker")
            logger.info(log.WORKER_READY)
            assert log.flush(5)

        assert os.waitpid(children.fork(worker), 0)[1] == 0

    events = events_of(body)
    assert sorted(event.get("number", -1) for event in events) == [-1, *range(200)]
    [of_worker] = [event for event in events if event["process"] == "worker"]
    assert of_worker["pid"] not in {event["pid"] for event in events if event["process"] == "template"}


def test_event_names_are_unique() -> None:
    names = [value for key, value in vars(log).items() if key.isupper() and isinstance(value, str)]
    assert len(names) == len(set(names)) > 40
    assert all("." in name for name in names)
