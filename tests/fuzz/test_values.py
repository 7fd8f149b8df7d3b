"""Whatever somebody writes as a setting, a time, a rate, a schedule or an option: a value, or a named
error."""

from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ganger.config import EngineConfig, discover_throttles, parse_redis_url
from ganger.cron.expression import Schedule
from ganger.errors import GangerError
from gangerd.cli import times
from gangerd.errors import GangerdError, Refused
from gangerd.settings import build
from gangerd.values import SETTINGS
from support.fuzzing import digits, fields, fuzz, huge, texts, urls, values, words


@fuzz(150)
@given(name=st.sampled_from(sorted(SETTINGS)), value=values)
@example(name="memory_max", value=f"{huge}T")
@example(name="retain", value={"mail": f"{huge}d"})
@example(name="statsd", value="h:²")
@example(name="statsd", value=f"h:{digits}")
@example(name="redis", value=f"redis://h:{digits}")
def test_a_setting_is_checked(name: str, value: Any) -> None:
    try:
        SETTINGS[name].check(value)
    except Refused as refused:
        assert name in str(refused)


def _toml(value: Any) -> str:
    """As TOML, where it has such a value: else in quotes."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_quoted(key)} = {_toml(one)}' for key, one in value.items())} }}"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    clean = "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text)
    return f'"{clean}"'


names = st.one_of(
    st.sampled_from(sorted(SETTINGS)), st.text(st.sampled_from("abdeiklmqrstu_"), min_size=1, max_size=9)
)
tables = st.dictionaries(names, values, max_size=5)
environments = st.dictionaries(
    st.sampled_from(
        ["GANGER_REDIS", "GANGER_SEMAPHORES", "GANGER_STATSD", "GANGER_NAMESPACE", "GANGER_DURABILITY"]
    ),
    words,
    max_size=3,
)


@fuzz(80)
@given(table=tables, env=environments)
@example(table={}, env={"GANGER_STATSD": "h:²"})
def test_a_configuration_is_built_or_refused(
    tmp_path_factory: Any, table: dict[str, Any], env: dict[str, str]
) -> None:
    _settle(
        tmp_path_factory, "".join(f"{key} = {_toml(value)}\n" for key, value in table.items()).encode(), env
    )


lines = st.lists(
    st.one_of(
        texts("[]{}=\".,'\n #ab1_-", 40).map(lambda text: text.encode("utf-8", "replace")),
        st.binary(max_size=30),
    ),
    max_size=6,
)


@fuzz(60)
@given(text=lines.map(b"\n".join))
@example(text=b"limits = " + b"[" * 9000 + b"]" * 9000)
@example(text=b"a" + b".a" * 9000 + b" = 1")
@example(text=b"workers = " + b"1" * 5000)
def test_any_bytes_as_ganger_toml(tmp_path_factory: Any, text: bytes) -> None:
    _settle(tmp_path_factory, text, {})


def _settle(factory: Any, text: bytes, env: dict[str, str]) -> None:
    """Both readers of the file: the daemon's and the engine's own."""
    cwd: Path = factory.getbasetemp()
    (cwd / "ganger.toml").write_bytes(text)
    for read in (
        lambda: build(cwd=cwd, env=env),
        lambda: EngineConfig.discover(env=env, cwd=cwd),
        lambda: discover_throttles(env, cwd),
    ):
        try:
            read()
        except (GangerError, GangerdError) as error:
            assert str(error)


embedded = st.fixed_dictionaries({}, optional={"redis": values, "pid": values, "semaphores": values})


@fuzz(60)
@given(found=embedded)
@example(found={"redis": "redis://h", "pid": 2**70})
@example(found={"redis": "redis://h", "pid": float("inf")})
@example(found={"redis": "redis://h", "pid": 1, "semaphores": 5})
def test_any_file_of_embedded_servers(tmp_path_factory: Any, found: dict[str, Any]) -> None:
    import json

    cwd: Path = tmp_path_factory.getbasetemp()
    (cwd / "ganger.toml").unlink(missing_ok=True)
    (cwd / ".ganger").mkdir(exist_ok=True)
    (cwd / ".ganger" / "embedded.json").write_text(json.dumps(found, default=repr))
    try:
        EngineConfig.discover(env={}, cwd=cwd)
    except GangerError as error:
        assert str(error)
    config = build(cwd=cwd, env={})
    assert isinstance(config.redis_url(), str) and all(
        isinstance(one, str) for one in config.semaphore_urls()
    )


@fuzz(120)
@given(text=urls)
@example(text=f"redis://h:{digits}")
def test_a_url(text: str) -> None:
    try:
        assert parse_redis_url(text).nodes
    except GangerError as error:
        assert len(text) < 12 or text not in str(error), "it may hold a password"


@fuzz(200)
@given(text=words)
@example(text=f"{huge}d")
@example(text=f"{huge}d ago")
@example(text="0001-01-01T00:00+14:00")
@example(text=digits)
def test_times_and_rates_of_the_command_line(text: str) -> None:
    for read in (
        times.span_s,
        times.instant,
        times.rate_s,
        lambda option, given: times.past_ms(option, given, 10**12),
    ):
        try:
            read("--when", text)
        except GangerdError as error:
            assert "--when" in str(error)


@fuzz(120)
@given(
    text=st.one_of(fields, st.lists(texts("0123456789*,-/", 8), min_size=5, max_size=5).map(" ".join)),
    tz=st.one_of(st.sampled_from(["UTC", "Europe/Berlin"]), st.text(max_size=12)),
)
@example(text="0 0 31 2 *", tz="UTC")
@example(text="* * * * *", tz="../../etc/passwd")
@example(text="* * * * *", tz="Europe")
@example(text="* * * * *", tz="\x00")
@example(text=f"*/{digits} * * * *", tz="UTC")
@example(text="0-59/0 * * * *", tz="UTC")
def test_a_schedule(text: str, tz: str) -> None:
    try:
        made = Schedule(text, tz)
        assert made.after(10**12) > 10**12
    except GangerError as error:
        assert str(error)
