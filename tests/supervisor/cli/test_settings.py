"""The layers of settings and what each mistake says."""

import subprocess
import sys
from pathlib import Path

import pytest

from ganger.config import parse_redis_url
from ganger.errors import BadOptions, BadSettings
from ganger.throttle.shares import parse_rate
from gangerd.config import Config, Limit
from gangerd.errors import BadConfig, Refused
from gangerd.limit_values import checked
from gangerd.settings import build, serving_mistakes
from gangerd.values import SETTINGS


def made(tmp_path: Path, toml: str) -> Path:
    path = tmp_path / "ganger.toml"
    path.write_text(toml)
    return path


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    made(tmp_path, 'workers = 2\nnamespace = "a"\nstatsd = "h:1"\nmemory_max = "64M"\n[queues]\nmail = 3\n')
    config = build(cwd=tmp_path, env={"GANGER_NAMESPACE": "b", "GANGER_STATSD": "h:2"}, flags={"workers": 7})
    assert (config.workers, config.namespace, config.statsd) == (7, "b", "h:2")
    assert config.queues == {"mail": 3}
    assert config.memory_max_bytes == 64 << 20
    assert config.dir == str(tmp_path / ".ganger")


def test_dead_letters_have_bounds_of_all_queues_and_of_one(tmp_path: Path) -> None:
    made(tmp_path, 'dead_max_count = 500\ndead_max_age = "12h"\n[dead.mail]\nmax_age = "90d"\n')
    config = build(cwd=tmp_path, env={})
    assert config.dead_bounds("mail") == (500, 90 * 86_400_000)
    assert config.dead_bounds("stock") == (500, 12 * 3_600_000)
    assert build(cwd=tmp_path / "none", env={}).dead_bounds("mail") == (10_000, 180 * 86_400_000)
    made(tmp_path, 'dead_max_age = "soon"\n[dead.mail]\nmax_count = 0\n[dead.stock]\nmax_cuont = 5\n')
    with pytest.raises(BadConfig) as caught:
        build(cwd=tmp_path, env={})
    assert "line 1: dead_max_age must be a time from 1 s to ten years" in str(caught.value)
    assert "line 2: dead of 'mail': max_count must be a whole number from 1" in str(caught.value)
    assert "line 4: dead of 'stock' may have max_count and max_age and nothing else" in str(caught.value)


def test_nothing_at_all_is_the_defaults(tmp_path: Path) -> None:
    config = build(cwd=tmp_path, env={})
    assert (config.workers, config.redis, config.embedded) == (4, "", False)


def test_every_mistake_at_once_each_with_its_line(tmp_path: Path) -> None:
    made(
        tmp_path,
        'wrokers = 3\nworkers = "four"\n\nlog_level = "loud"\nredis = "http://:secret@h"\n'
        '[queues]\nmail = 3\n"b{d" = 1\nbulk = -1\n',
    )
    with pytest.raises(BadConfig) as caught:
        build(cwd=tmp_path, env={"GANGER_STATSD": "nowhere"}, flags={"durability": "eternal"})
    text = str(caught.value)
    assert len(caught.value.mistakes) == 8
    assert "line 1: there is no setting 'wrokers': did you mean 'workers'?" in text
    assert "line 2: workers must be a whole number from 1 to 1,000, not 'four'" in text
    assert "line 4: log_level must be one of debug, info" in text
    assert "line 5: redis must be a URL" in text
    assert "line 8: queues has the name 'b{d'" in text
    assert "line 9: queues gives 'bulk' the weight -1" in text
    assert "GANGER_STATSD: statsd must be host:port" in text
    assert "--durability: durability must be one of fast, replicated" in text
    assert "secret" not in text
    assert caught.value.exit_code == 78


def test_what_queues_retain_is_a_table(tmp_path: Path) -> None:
    made(
        tmp_path,
        '[retain]\nmail = "7d"\nbulk = { age = "90m", count = 1_000 }\nold = false\nnew = {count = 5}\n',
    )
    kept = build(cwd=tmp_path, env={}).retain
    assert kept == {"mail": (604_800_000, 0), "bulk": (5_400_000, 1000), "old": (0, 0), "new": (0, 5)}
    made(tmp_path, '[retain]\nmail = "soon"\nbulk = { ago = 5 }\n"b{d" = "7d"\nlong = {count = -1}\n')
    with pytest.raises(BadConfig) as caught:
        build(cwd=tmp_path, env={})
    text = str(caught.value)
    assert "line 2: retain must be a time such as 7d, 12h or 30m, not 'soon'" in text
    assert "line 3: retain gives 'bulk' {'ago': 5}" in text
    assert "line 4: retain has the name 'b{d'" in text
    assert "line 5: retain gives 'long' the count -1" in text


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    made(tmp_path, "workers = 3\nqueues = [\n")
    with pytest.raises(BadConfig, match=r"no valid TOML: .*(line|end of document)"):
        build(cwd=tmp_path, env={})


def test_a_file_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no such file"):
        build(cwd=tmp_path, env={}, path=Path("other.toml"))


def test_own_servers_or_others_the_later_layer_decides(tmp_path: Path) -> None:
    made(tmp_path, "embedded = true\n")
    config = build(cwd=tmp_path, env={"GANGER_REDIS": "redis://h:1"})
    assert (config.embedded, config.redis) == (False, "redis://h:1")
    config = build(cwd=tmp_path, env={"GANGER_REDIS": "redis://h:1"}, flags={"embedded": True})
    assert (config.embedded, config.redis) == (True, "")
    made(tmp_path, 'embedded = true\nredis = "redis://h:1"\n')
    with pytest.raises(BadConfig, match="exclude each other"):
        build(cwd=tmp_path, env={})


def test_the_lease_must_outlast_its_renewal(tmp_path: Path) -> None:
    made(tmp_path, "lease_ms = 5000\nrenew_ms = 4000\n")
    with pytest.raises(BadConfig, match="at most half"):
        build(cwd=tmp_path, env={})


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h:7000",
        "rediss://user:p%40ss@h1:1,h2:2",
        "redis://:a/b@h:1/0",
        "redis://[::1]:7000,h2",
        "redis://127.0.0.1:1/",
        "http://h",
        "h:1",
        "redis://",
        "redis://h:0",
        "redis://h:99999",
        "redis://h:x",
        "redis://h/3",
        "redis://h?db=3",
        "redis://h1,,h2",
    ],
)
def test_the_daemon_and_the_engine_agree_on_what_is_a_url(url: str) -> None:
    """The daemon looks at a URL without the engine, since the master's process must not hold it."""
    try:
        parse_redis_url(url)
        taken_by_engine = True
    except BadSettings:
        taken_by_engine = False
    try:
        SETTINGS["redis"].check(url)
        taken_here = True
    except Refused as refused:
        taken_here = False
        assert "p%40ss" not in str(refused)
    assert taken_here == taken_by_engine


def test_building_a_configuration_loads_no_engine(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gangerd.settings import build;"
        f"build(cwd=Path({str(tmp_path)!r}), env={{'GANGER_REDIS': 'redis://h:1'}});"
        "sys.exit('ganger' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_strict_order_needs_the_queues_in_their_order(tmp_path: Path) -> None:
    made(tmp_path, 'order = "strict"\n')
    config = build(cwd=tmp_path, env={})
    assert serving_mistakes(config) == [
        "order = strict needs the queues in their order: name them under [queues], or with -q"
    ]
    made(tmp_path, 'order = "strict"\n[queues]\nurgent = 1\nbulk = 1\na = 1\n')
    config = build(cwd=tmp_path, env={})
    assert not serving_mistakes(config)
    assert Config.load_fd(config.to_fd()).strict_order == ("urgent", "bulk", "a")
    assert build(cwd=tmp_path, env={}, flags={"order": "weighted"}).strict_order == ()


def test_limits_are_read(tmp_path: Path) -> None:
    mail, api = (
        '[limits.mail]\nqueue = "mail"\nconcurrency = 10\n',
        '[limits.api]\nqueue = "mail"\nconcurrency = 3\n',
    )
    more = (
        '[limits.pace]\nqueue = "mail"\nrate = "100 / 60s"\nburst = 5\non_lost = "finish"\n'
        '[limits.kind]\ntype = "shop.send"\nconcurrency = 2\nrate = "5/s"\n'
        'limit_key = "args.order.customer"\n'
    )
    made(tmp_path, mail + api + more)
    assert build(cwd=tmp_path, env={}).limits == {
        "mail": Limit("mail", 10),
        "api": Limit("mail", 3),
        "pace": Limit("mail", rate="100/60s", burst=5, on_lost="finish"),
        "kind": Limit(type="shop.send", concurrency=2, rate="5/s", limit_key="args.order.customer"),
    }


def test_limits_need_servers_for_semaphores(tmp_path: Path) -> None:
    limit = '[limits.mail]\nqueue = "mail"\nconcurrency = 10\n'
    made(tmp_path, limit)
    assert serving_mistakes(build(cwd=tmp_path, env={})) == []  # the embedded ones bring one along
    made(tmp_path, f'redis = "redis://h"\n{limit}')
    (mistake,) = serving_mistakes(build(cwd=tmp_path, env={}))
    assert mistake.startswith("limits need servers for semaphores: set semaphores (or GANGER_SEMAPHORES)")
    assert serving_mistakes(build(cwd=tmp_path, env={"GANGER_SEMAPHORES": "redis://h:1"})) == []


def test_every_mistake_of_every_limit_is_told(tmp_path: Path) -> None:
    made(
        tmp_path,
        "[limits.mail]\nconcurrency = 0\n"
        '[limits.api]\nqueue = "api"\nrate = "5 a second"\nbursts = 2\n'
        '[limits.type]\ntype = "shop.send"\nqueue = "q"\nconcurrency = 2\nburst = 2\n'
        '[limits.key]\nqueue = "q"\nlimit_key = "tenant"\n'
        '[limits."a b"]\nqueue = "q"\nconcurrency = 2\n'
        '[limits.pace]\nqueue = "q"\nrate = "100001/s"\non_lost = "cry"\n',
    )
    with pytest.raises(BadConfig) as caught:
        build(cwd=tmp_path, env={})
    mail, api, kind, key, name, pace = caught.value.mistakes
    assert mail == (
        "ganger.toml line 1: limits of 'mail': concurrency must be a whole number from 1 to 100,000, not 0;"
        " give either queue or type: what it holds for"
    )
    assert "line 3" in api and "bursts is not known; rate must be like" in api
    assert "give either queue or type: what it holds for; burst needs a rate" in kind
    assert 'limit_key must say which argument tells jobs apart, as "args.tenant"' in key
    assert "give concurrency, rate or both" in key
    assert "has the name 'a b'" in name
    assert "on_lost must be end or finish, not 'cry'; rate without a burst is at most 100,000" in pace


@pytest.mark.parametrize(
    ("place", "said"),
    [('queue = "mail"', "queue 'mail'"), ('type = "shop.mail"', "type 'shop.mail'")],
    ids=["queue", "type"],
)
def test_a_queue_or_a_type_has_so_many_limits_and_no_more(tmp_path: Path, place: str, said: str) -> None:
    made(tmp_path, "".join(f"[limits.l{n}]\n{place}\nconcurrency = 2\n" for n in range(4)))
    with pytest.raises(BadConfig, match=rf"{said} 4 limits \(l0, l1, l2, l3\): 3 is the most"):
        build(cwd=tmp_path, env={})


KEYED = 'concurrency = 2\nlimit_key = "args.{}"\n'


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            'queue = "q"',
            'queue = "q"',
            "limits on queue 'q' have different limit_keys (a: args.x, b: args.y)",
        ),
        ('type = "t"', 'type = "t"', "limits on type 't' have different limit_keys (a: args.x, b: args.y)"),
        ('queue = "q"', 'type = "t"', "on types have different limit_keys (a: args.x, b: args.y)"),
        ('queue = "q"', 'queue = "r"', ""),
        ('type = "t"', 'type = "u"', ""),
    ],
)
def test_what_tells_a_job_apart_is_one_value(tmp_path: Path, first: str, second: str, said: str) -> None:
    made(tmp_path, f"[limits.a]\n{first}\n{KEYED}[limits.b]\n{second}\n{KEYED}".format("x", "y"))
    if not said:
        assert len(build(cwd=tmp_path, env={}).limits) == 2
        return
    with pytest.raises(BadConfig) as caught:
        build(cwd=tmp_path, env={})
    (mistake,) = caught.value.mistakes
    assert said in mistake


@pytest.mark.parametrize(
    "rate",
    [
        "1/s",
        "100/60s",
        " 5 / 1.5h ",
        "3/.5s",
        "7/d",
        "1/ms",
        "1/31d",
        "100/.4ms",
        "1/32d",
        "0/s",
        "x/s",
        "5/",
    ],
)
def test_a_rate_is_what_the_engine_takes_for_one(rate: str) -> None:
    try:
        there = parse_rate(rate)
    except BadOptions:
        there = None
    try:
        here = parse_rate(checked("a", {"queue": "q", "rate": rate}).rate)
    except Refused:
        here = None
    assert here == there
