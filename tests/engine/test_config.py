"""Where the settings come from, and that a password is never shown."""

import json
import os
from pathlib import Path

import pytest

from ganger.config import EngineConfig, RedisSettings, parse_redis_url
from ganger.errors import BadSettings, GangerError, NotConfigured

SECRET = "s3cret/ä@:%"


def test_urls() -> None:
    assert parse_redis_url("redis://h1:7001,h2") == RedisSettings(nodes=(("h1", 7001), ("h2", 6379)))
    full = parse_redis_url("rediss://app:s3cret%2F%C3%A4%40%3A%25@h1:7001")
    assert (full.username, full.password, full.tls) == ("app", SECRET, True)
    assert parse_redis_url("redis://:pw@[::1]:7001/0").nodes == (("::1", 7001),)
    assert parse_redis_url("redis://:pw@[::1]").nodes == (("::1", 6379),)
    assert parse_redis_url("redis://:p@w@h").password == "p@w"


@pytest.mark.parametrize(
    "url",
    [
        "h1:7001",
        "http://h:1",
        "redis://",
        "redis://:s3cret",
        "redis://u:s3cret@",
        "redis://u:s3cret@h:0",
        "redis://u:s3cret@h:x",
        "redis://u:s3cret@h:70000",
        "redis://u:s3cret@h/3",
        "redis://u:s3cret@h,,i",
        "redis://u:s3cret@h/0?x=1",
        "unix:///s3cret",
    ],
)
def test_bad_urls_are_refused_without_quoting_them(url: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_redis_url(url)
    assert "s3cret" not in str(caught.value)


def test_no_repr_shows_the_password(tmp_path: Path) -> None:
    config = EngineConfig.discover(
        {"GANGER_REDIS": "redis://u:s3cret@h", "GANGER_SEMAPHORES": "redis://:s3cret@s"}, tmp_path
    )
    assert "s3cret" not in repr(config) and config.semaphores == ("redis://:s3cret@s",)


def test_environment_beats_toml_beats_embedded(tmp_path: Path) -> None:
    (tmp_path / ".ganger").mkdir()
    found = {"redis": "redis://:pw@embedded:1", "semaphores": ["redis://sem:1"], "pid": os.getpid()}
    (tmp_path / ".ganger/embedded.json").write_text(json.dumps(found))
    config = EngineConfig.discover({}, tmp_path)
    assert config.redis.nodes == (("embedded", 1),) and config.semaphores == ("redis://sem:1",)
    (tmp_path / "ganger.toml").write_text(
        'redis = "redis://toml:2"\nnamespace = "shop"\ndurability = "replicated"\n'
    )
    config = EngineConfig.discover({}, tmp_path)
    assert config.redis.nodes == (("toml", 2),)
    assert (config.namespace, config.durability, config.semaphores) == ("shop", "replicated", ())
    config = EngineConfig.discover({"GANGER_REDIS": "redis://env:3", "GANGER_NAMESPACE": "n"}, tmp_path)
    assert config.redis.nodes == (("env", 3),) and config.namespace == "n"


def test_nothing_configured_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"GANGER_REDIS=redis://.*ganger\.toml.*ganger embedded"):
        EngineConfig.discover({}, tmp_path)


def test_embedded_servers_that_are_gone(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    (tmp_path / ".ganger").mkdir()
    (tmp_path / ".ganger/embedded.json").write_text(json.dumps({"redis": "redis://h", "pid": pid}))
    with pytest.raises(NotConfigured, match="no longer run"):
        EngineConfig.discover({}, tmp_path)


@pytest.mark.parametrize(
    "toml",
    [
        "redis = ",
        'redis = "redis://h"\ndurability = "some"',
        'redis = "redis://h"\nmax_job_bytes = "1"',
        "redis = 5",
        'redis = "redis://h"\nsemaphores = "x"',
        'redis = "redis://h"\nnamespace = "{x}"',
    ],
)
def test_a_bad_toml_is_one_clear_error(tmp_path: Path, toml: str) -> None:
    (tmp_path / "ganger.toml").write_text(toml)
    with pytest.raises(GangerError):
        EngineConfig.discover({}, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"redis": "redis://:s3cret@h"}', "\x00"])
def test_garbage_in_the_embedded_file(tmp_path: Path, text: str) -> None:
    (tmp_path / ".ganger").mkdir()
    (tmp_path / ".ganger/embedded.json").write_text(text)
    with pytest.raises(BadSettings, match="embedded") as caught:
        EngineConfig.discover({}, tmp_path)
    assert "s3cret" not in str(caught.value)
