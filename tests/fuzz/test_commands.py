"""Any words behind any command: one of the documented exit codes, and never a traceback."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ganger.jid import mint
from gangerd.cli.entry import COMMANDS, ganger
from support.fuzzing import fuzz, texts
from support.inprocess import check_command
from support.servers import ClusterServers

ENDING = {
    *(
        "reload",
        "push",
        "status",
        "queues",
        "workers",
        "crashes",
        "why",
        "scheduled",
        "retries",
        "job",
        "cron",
    ),
    *("queue", "type", "dead", "limits", "batches", "batch"),
}
"""These are called. The others serve, write files, import or start what they are told to: their words are
parsed, no more."""
JIDS = ["0" * 29, "7" + "z" * 28, *mint("mail", 3), *mint("mail", 1023)]
argv = texts("abcdefghijklmnop0123456789-_.:/{}[]\"', \udcff\u0301", 24).map(
    lambda text: text.replace("\0", "?")
)
words = st.one_of(
    argv,
    st.sampled_from(
        [
            *JIDS,
            "mail",
            "shop.send",
            "b-" + "0" * 21,
            "5m",
            "9" * 400 + "d",
            "1/s",
            "12:30",
            "2031-05-01T08:00",
            "-1",
            "1e400",
            "nan",
            "[" * 50_000,
            "1" * 5000,
            "\udcff",
            "{}",
            "\x1b[31m",
        ]
    ),
)


def _leaves(
    command: click.Command, path: tuple[str, ...], ctx: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from _leaves(found, (*path, name), click.Context(found, parent=ctx))
    else:
        yield path, command


ALL = dict(_leaves(ganger, (), click.Context(ganger)))


@st.composite
def lines(draw: st.DrawFn, path: tuple[str, ...]) -> list[str]:
    """Words behind a command: what it takes, filled with anything."""
    said: list[str] = []
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            if parameter.name in ("watch", "wait", "directory", "path") or draw(st.integers(0, 3)):
                continue
            said.append(draw(st.sampled_from(parameter.opts)))
            if not parameter.is_flag:
                said.append(_word(draw, parameter))
        elif draw(st.integers(0, 9)):
            said += [
                _word(draw, parameter) for _ in range(draw(st.integers(1, 3)) if parameter.nargs == -1 else 1)
            ]
    return said + (draw(st.lists(words, max_size=2)) if draw(st.integers(0, 9)) == 0 else [])


def _word(draw: st.DrawFn, parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice) and draw(st.integers(0, 4)):
        return str(draw(st.sampled_from(list(parameter.type.choices))))
    if isinstance(parameter.type, click.types.IntParamType) and draw(st.integers(0, 2)):
        return str(draw(st.integers(-1, 2000)))
    return draw(words)


@pytest.fixture(scope="module")
def shop(
    fuzz_servers: ClusterServers, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    return tmp_path_factory.mktemp("shop"), {"GANGER_REDIS": fuzz_servers.url}


@pytest.mark.parametrize("path", [path for path in ALL if path[0] in ENDING], ids=" ".join)
def test_any_words(path: tuple[str, ...], shop: tuple[Path, dict[str, str]]) -> None:
    @fuzz(4)
    @given(said=lines(path))
    def any_words(said: list[str]) -> None:
        check_command([*path, *said], *shop)

    any_words()


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ENDING))
def test_any_words_are_parsed(name: str) -> None:
    @fuzz(10)
    @given(said=lines((name,)))
    def any_words(said: list[str]) -> None:
        try:
            ALL[name,].make_context(name, list(said))
        except (click.ClickException, click.exceptions.Exit) as error:
            assert not isinstance(error, click.ClickException) or error.format_message()

    any_words()


@fuzz(20)
@given(said=st.lists(st.one_of(words, st.sampled_from(sorted(ENDING))), max_size=4))
@example(said=["\udcff"])
@example(said=["job", "cancel", "\udcff", "--json"])
@example(said=["push", "x", "[" * 50_000])
def test_any_line(said: list[str], shop: tuple[Path, dict[str, str]]) -> None:
    if "--watch" not in said and not set(said) & (COMMANDS.keys() - ENDING):
        check_command(said, *shop)
