"""What each signal asks of a master that serves."""

import signal
from collections.abc import Iterator

import pytest

from gangerd.page import Page
from gangerd.recorder import PAGE_BYTES, Control, page_offset
from support.masters import MasterProcess, gone, master
from support.waiting import until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MasterProcess]:
    with master(tmp_path_factory.mktemp("orders")) as started:
        started.await_log("master.serving")
        started.await_log("worker.ready", 2)
        yield started


def control(running: MasterProcess, slot: int) -> int:
    (path,) = running.run_dir.glob("recorder-*")
    with path.open("rb") as file:
        file.seek(page_offset(slot))
        return Page(memoryview(bytearray(file.read(PAGE_BYTES)))).control()


def test_tstp_stops_claiming_and_cont_resumes(running: MasterProcess) -> None:
    both = [running.slot_of(running.worker(0)), running.slot_of(running.worker(1))]
    until(lambda: {control(running, slot) for slot in both} == {Control.MAY_CLAIM}, "they may claim")
    running.signal(signal.SIGTSTP)
    until(lambda: {control(running, slot) for slot in both} == {0}, "they may not claim")
    until(lambda: running.status()["quiet"], "the status says so")
    running.signal(signal.SIGCONT)
    until(lambda: {control(running, slot) for slot in both} == {Control.MAY_CLAIM}, "they may again")


def test_ttin_and_ttou_are_one_worker_more_and_one_less(running: MasterProcess) -> None:
    running.signal(signal.SIGTTIN)
    running.worker(2)
    running.signal(signal.SIGTTOU)
    (left,) = running.await_log("worker.left")
    assert gone(next(line["child"] for line in running.log("worker.ready") if line["slot"] == left["slot"]))
    until(lambda: running.status()["workers_wanted"] == 2, "two are wanted")
    assert not running.log("worker.died")


def test_usr2_writes_the_state_and_every_workers_stack_to_the_log(running: MasterProcess) -> None:
    running.signal(signal.SIGUSR2)
    dumped = running.await_log("master.state_dumped", 3)
    assert dumped[0]["state"] in ("serving", "starting")
    assert all("tiny_worker.py" in line["stack"] for line in dumped[1:])
