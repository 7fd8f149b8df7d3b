"""once() in the test modes: no Redis, and the same answers."""

import pytest

from ganger import Client, StillPending, forget_once, once
from ganger.config import EngineConfig, RedisSettings
from ganger.errors import FailedBefore
from ganger.testing import inline


def test_in_a_test_mode_marks_are_kept_without_redis_for_as_long_as_it_is_on() -> None:
    nowhere = Client(EngineConfig(RedisSettings(nodes=(("ganger.invalid", 1),))))
    with inline():
        for number in (1, 2):
            assert once("charge:42", 60, lambda: number, client=nowhere) == 1  # noqa: B023
        with once("charge:43", 60, client=nowhere), pytest.raises(StillPending):
            once("charge:43", 60, lambda: 1, client=nowhere)
        with pytest.raises(LookupError), once("charge:44", 60, client=nowhere):
            raise LookupError("no such card")
        with pytest.raises(FailedBefore, match="no such card"):
            once("charge:44", 60, lambda: 1, failed="raise", client=nowhere)
        assert once("charge:44", 60, lambda: 1, client=nowhere) == 1
        assert forget_once("charge:44", client=nowhere)
        assert once("charge:44", 60, lambda: 2, client=nowhere) == 2
    with inline():
        assert once("charge:42", 60, lambda: 3, client=nowhere) == 3
