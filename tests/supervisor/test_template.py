"""The template alone, with the test as its master: it imports, refuses, forks workers that are the master's
own, and leaves."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gangerd.config import Config
from gangerd.linux import doorbell, processes
from gangerd.linux.shared_memory import read_all
from gangerd.master import seats, spawning
from gangerd.master.mailbox import Mailbox
from gangerd.messages import (
    Drain,
    Go,
    Leaving,
    Message,
    Ready,
    Spawn,
    Spawned,
    TemplateFailed,
    TemplateReady,
)
from support.children import readable
from support.puppets import close
from support.waiting import until

TESTS = Path(__file__).parents[1]


@dataclass
class Desk:
    """The master's side."""

    pid: int
    mailbox: Mailbox
    recorder: seats.Recorder
    workers: dict[str, Mailbox] = field(default_factory=dict)

    def hear(self, mailbox: Mailbox | None = None) -> tuple[Message, tuple[int, ...]]:
        """The next message; fails when the other side ends without one."""
        mailbox = mailbox or self.mailbox
        assert readable(mailbox, 20), "it says nothing"
        received, closed = mailbox.receive()
        assert not closed, "it is gone without a word"
        assert len(received) == 1
        return received[0]

    def spawn(self, slot: int, incarnation: str) -> Mailbox:
        mailbox = spawning.ask_for_worker(
            self.mailbox, Spawn(slot, incarnation, 1), self.recorder.seats[slot].crash_fd
        )
        self.workers[incarnation] = mailbox
        return mailbox


@contextmanager
def template(root: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(root)]))
    processes.set_subreaper()
    config = Config(**{"app": "support.tiny_app", "dir": str(root), "workers": 2, **settings})
    config.run_dir.mkdir(parents=True)
    recorder = seats.create(config.run_dir, "00000000000000aa", 2)
    fds = {"config": config.to_fd(), "recorder": recorder.fd, "doorbell": doorbell.create()}
    worker = {spawning.ENV_WORKER: "support.tiny_worker"}
    pid, mailbox = spawning.start_role("gangerd.template", fds, "00000000000000aa", worker)
    desk = Desk(pid, mailbox, recorder)
    before = _children() - {pid}
    try:
        yield desk
    finally:
        for each in (mailbox, *desk.workers.values()):
            each.close()
        for child in _children() - before:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for fd in (fds["config"], fds["doorbell"]):
            os.close(fd)
        close(recorder)


def _children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_it_imports_and_hands_over_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with template(tmp_path, monkeypatch, queues={"q": 1, "mail:x": 1}) as desk:
        message, fds = desk.hear()
        assert isinstance(message, TemplateReady) and message.types == 1
        assert message.warnings == ["no job of support.tiny_app is in queue mail:x: is the name right?"]
        assert json.loads(read_all(fds[0]))["types"].keys() == {"tiny.job"}
        desk.mailbox.send(Drain())
        assert os.waitpid(desk.pid, 0)[1] == 0


@pytest.mark.parametrize("preload", [True, False])
def test_a_bad_app_is_one_sentence_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preload: bool
) -> None:
    (tmp_path / "broken.py").write_text("import nosuchthing\n")
    with template(tmp_path, monkeypatch, app="broken", preload=preload) as desk:
        message, _ = desk.hear()
        assert isinstance(message, TemplateFailed)
        assert "nosuchthing" in message.error and message.exit_code == 78
        assert os.waitstatus_to_exitcode(os.waitpid(desk.pid, 0)[1]) == 78


def test_an_app_that_kills_its_importer_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with template(tmp_path, monkeypatch, app="deadly", preload=False) as desk:
        message, _ = desk.hear()
        assert isinstance(message, TemplateFailed) and "ended its process" in message.error


def test_a_worker_is_the_masters_own_child_and_outlives_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with template(tmp_path, monkeypatch) as desk:
        desk.hear()
        worker = desk.spawn(0, "00000000000000b1")
        spawned, _ = desk.hear()
        ready, _ = desk.hear(worker)
        assert ready == Ready("00000000000000b1")
        assert isinstance(spawned, Spawned) and spawned.pid == worker.sender_pid
        stat = Path(f"/proc/{spawned.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) == os.getpid(), "its parent"
        os.kill(desk.pid, signal.SIGKILL)
        os.waitpid(desk.pid, 0)
        worker.send(Go())
        until(lambda: desk.recorder.seats[0].page.phase > 1, "the worker lives in its page")
        desk.recorder.seats[0].page.set_control(2)
        assert isinstance(desk.hear(worker)[0], Leaving)
        assert os.waitpid(spawned.pid, 0)[1] == 0


def test_many_spawns_at_once_leave_no_channel_in_a_siblings_hands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of another's channel would hide that one's end from the master."""
    with template(tmp_path, monkeypatch) as desk:
        desk.hear()
        os.kill(desk.pid, signal.SIGSTOP)
        mailboxes = [desk.spawn(index % 2, f"{0xB0 + index:016x}") for index in range(6)]
        os.kill(desk.pid, signal.SIGCONT)
        pids = {}
        for mailbox in mailboxes:
            desk.hear(mailbox)
            pids[mailbox.fileno()] = mailbox.sender_pid
        for mailbox in mailboxes:
            pid = pids[mailbox.fileno()]
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            assert readable(mailbox, 5)
            assert mailbox.receive()[1], "the end of the file comes with the worker's own end"


def test_a_late_worker_whose_channel_is_closed_leaves_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with template(tmp_path, monkeypatch) as desk:
        desk.hear()
        os.kill(desk.pid, signal.SIGSTOP)
        worker = desk.spawn(0, "00000000000000b1")
        worker.close()
        os.kill(desk.pid, signal.SIGCONT)
        spawned, _ = desk.hear()
        assert isinstance(spawned, Spawned)
        os.waitpid(spawned.pid, 0)
        assert not any(desk.recorder.seats[0].page.words[:16]), "it has not touched the page"


def test_without_its_master_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with template(tmp_path, monkeypatch) as desk:
        desk.hear()
        desk.mailbox.close()
        assert os.waitpid(desk.pid, 0)[1] == 0


def test_what_the_shell_left_open_is_not_the_templates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, _ = os.pipe()
    os.set_inheritable(left, True)
    try:
        spawning.seal_inherited()
        with template(tmp_path, monkeypatch) as desk:
            desk.hear()
            assert f"pipe:[{os.fstat(left).st_ino}]" not in {
                str(path.readlink()) for path in Path(f"/proc/{desk.pid}/fd").iterdir()
            }
    finally:
        os.close(left)
