"""Fixtures for an application's tests, which pytest finds by itself (the entry point `ganger` of `pytest11`).

It is loaded in every test run of every project whose environment has ganger, so it imports nothing until a
fixture is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ganger.testing import Inline, Recording
    from gangerd.practice import PracticeServer


@pytest.fixture
def ganger_inline() -> Iterator["Inline"]:
    """Jobs run at once when they are pushed (ganger.testing.inline)."""
    from ganger.testing import inline

    with inline() as jobs:
        yield jobs


@pytest.fixture
def ganger_recording() -> Iterator["Recording"]:
    """Pushed jobs are kept, to be looked at and run (ganger.testing.recording)."""
    from ganger.testing import recording

    with recording() as jobs:
        yield jobs


@pytest.fixture
def ganger_server(
    ganger_session_server: "PracticeServer", monkeypatch: pytest.MonkeyPatch
) -> Iterator["PracticeServer"]:
    """A real cluster, empty, which the default client and GANGER_REDIS point at."""
    for name, value in ganger_session_server.environment.items():
        monkeypatch.setenv(name, value)
    with ganger_session_server.in_use():
        yield ganger_session_server


@pytest.fixture(scope="session")
def ganger_session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PracticeServer"]:
    """The servers behind `ganger_server`: started by the first test that asks for them."""
    from gangerd.errors import NoServerBinary
    from gangerd.practice import PracticeServer

    server = PracticeServer(tmp_path_factory.mktemp("ganger"))
    try:
        server.start()
    except NoServerBinary as error:
        pytest.skip(str(error))
    yield server
    server.stop()
