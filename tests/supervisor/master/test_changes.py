"""What a reload may change, setting by setting."""

import msgspec
import pytest

from gangerd.config import Config
from gangerd.master.changes import refused

OLD = Config(app="shop", redis="redis://a:1", workers=4, queues={"mail": 1, "video": 2})


@pytest.mark.parametrize(
    ("change", "words"),  # a word for each sentence
    [
        ({"app": "store"}, ()),
        ({"statsd": "h:1", "log_level": "debug", "shutdown_timeout_s": 5.0}, ()),
        ({"workers": 7}, ()),
        ({"workers": 1}, ()),
        ({"queues": {"mail": 3, "video": 2, "new": 1}}, ()),
        ({"queues": {}}, ()),
        ({"queues": {"mail": 1}}, ("video",)),
        ({"workers": 8}, ("workers = 8 is more than this master has room for (7)",)),
        ({"redis": "redis://b:1"}, ("redis",)),
        ({"namespace": "x", "dir": "/elsewhere"}, ("namespace", "dir")),
        ({"semaphores": ("redis://s:1",)}, ("semaphores",)),
        ({"embedded": True}, ("embedded",)),
        ({"host": "h2"}, ("host",)),
        ({"lease_ms": 20_000}, ("lease_ms",)),
    ],
)
def test_what_is_at_work_already_stays_and_is_named(
    change: dict[str, object], words: tuple[str, ...]
) -> None:
    said = refused(OLD, msgspec.structs.replace(OLD, **change), seats=8)
    assert len(said) == len(words)
    assert all(any(word in line and "restart" in line for line in said) for word in words)
