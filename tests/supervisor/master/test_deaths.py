"""deaths.py: the spool on a real directory, with real disk trouble."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from gangerd.master.deaths import Deaths
from gangerd.messages import Death
from gangerd.recorder import ClaimToken, EntryState, Held


def death(number: int, at_ms: int | None = None, cause: str = "segfault") -> Death:
    return Death(
        id=f"{number:016x}",
        consumer="aa",
        worker=f"{number:016x}",
        slot=1,
        pid=4242,
        generation=1,
        at_ms=1_700_000_000_000 + number if at_ms is None else at_ms,
        cause=cause,
        uses_attempt=True,
        counts_as_crash=True,
        signal=11,
        stack="Fatal Python error: \ufffd\nFile ...",
        held=[Held("mail", 3, 5, "1-2", "j", "t", 1)],
        states=[EntryState.STARTED],
        running=0,
        claim=ClaimToken(7, "mail", 4),
        counters=[1, 2, (1 << 64) - 1],
    )


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "run" / "deaths"


def opened(spool: Path, bound: int = 4096) -> Deaths:
    deaths = Deaths(spool, bound)
    deaths.load()
    return deaths


def ids(deaths: Deaths) -> list[int]:
    return [int(each.id, 16) for each in deaths.unsent()]


def test_a_death_survives_its_master_until_it_is_settled(spool: Path) -> None:
    deaths = opened(spool)
    deaths.add(death(1))
    again = opened(spool)
    assert list(again.unsent()) == [death(1)] and len(again) == 1
    assert again.settled(death(1).id)
    assert not again.settled(death(1).id)
    assert list(spool.iterdir()) == [] and len(again) == 0 and len(opened(spool)) == 0
    assert spool.stat().st_mode & 0o077 == 0


def test_oldest_first_and_only_what_was_not_sent(spool: Path) -> None:
    deaths = opened(spool)
    for number in (3, 1, 2):
        deaths.add(death(number))
    assert ids(deaths) == [3, 1, 2]  # as they happened
    for each in deaths.unsent():
        deaths.sent(each.id)
        if each.id == death(1).id:
            break
    assert ids(deaths) == [2]
    deaths.resend_all()
    assert ids(deaths) == [3, 1, 2]
    deaths.settled(death(3).id)
    assert ids(deaths) == [1, 2]
    assert ids(opened(spool)) == [1, 2]  # by time
    deaths.sent("unknown")
    assert len(deaths) == 2


def test_the_first_report_stands(spool: Path) -> None:
    deaths = opened(spool)
    deaths.add(death(1))
    deaths.add(death(1, cause="lost"))
    assert [each.cause for each in opened(spool).unsent()] == ["segfault"]


def test_garbage_is_set_aside(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    deaths = opened(spool)
    for number in (1, 2):
        deaths.add(death(number))
    whole = deaths._path(death(1))
    whole.write_bytes(whole.read_bytes()[:-3])
    (spool / "000000000000001-beef.death").write_bytes(os.urandom(100))
    (spool / "000000000000002-00ff.death").write_bytes(msgspec.msgpack.encode(death(3)))
    (spool / "000000000000002-00ff.tmp").write_bytes(b"half")
    assert ids(opened(spool)) == [2]
    names = sorted(path.suffix for path in spool.iterdir())
    assert names == [".death", ".garbled", ".garbled", ".garbled"]
    assert capfd.readouterr().err.count("set aside") == 3
    assert ids(opened(spool)) == [2]


@contextmanager
def no_room() -> Iterator[None]:
    """The kernel refuses every write to a file, as on a full disk."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_loses_nothing(spool: Path) -> None:
    deaths = opened(spool)
    deaths.add(death(1))
    with no_room():
        deaths.add(death(2))
        deaths.add(death(3))
        deaths.retry_disk()
        assert deaths.only_in_memory == 2
        assert deaths.settled(death(2).id)
    assert ids(deaths) == [1, 3]
    assert [path.suffix for path in spool.iterdir()] == [".death"]
    deaths.retry_disk()
    assert deaths.only_in_memory == 0
    assert ids(opened(spool)) == [1, 3]


def test_without_a_directory_it_still_works(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("a file where the directory should be")
    deaths = opened(tmp_path / "deaths")
    deaths.add(death(1))
    assert ids(deaths) == [1] and deaths.only_in_memory == 1
    assert deaths.settled(death(1).id)


def test_bounded(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    deaths = opened(spool, bound=3)
    for number in range(1, 6):
        deaths.add(death(number))
    assert ids(deaths) == [3, 4, 5] == ids(opened(spool))
    assert capfd.readouterr().err.count("too many") == 2


def test_the_whole_message_is_kept(spool: Path) -> None:
    deaths = opened(spool)
    deaths.add(death(9))
    (loaded,) = opened(spool).unsent()
    assert msgspec.structs.asdict(loaded) == msgspec.structs.asdict(death(9))


def test_what_can_not_be_set_aside_keeps_no_master_from_its_start(tmp_path: Path) -> None:
    name = "000000000000005-00000000000000b1"
    (tmp_path / f"{name}.death").write_bytes(b"no death")
    (tmp_path / f"{name}.garbled" / "in the way").mkdir(parents=True)
    (tmp_path / "half.tmp").mkdir()
    assert Deaths(tmp_path).load() == 0
