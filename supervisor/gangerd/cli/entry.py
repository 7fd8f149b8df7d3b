"""The root of the command line: which command is where, and how every failure ends.

A failure is one sentence on stderr and an exit code, never a traceback; GANGER_TRACEBACK=1 shows one to
whoever looks for a mistake in ganger itself."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from gangerd.config import EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE
from gangerd.errors import GangerdError

COMMANDS = {
    "run": ("gangerd.cli.running", "Serve an app's jobs: the supervisor, in the foreground."),
    "reload": ("gangerd.cli.reloading", "Bring in new code and settings without a pause."),
    "check": ("gangerd.cli.checking", "Check the configuration and the app; every mistake at once."),
    "install-units": ("gangerd.cli.units", "Write the systemd units that serve an app."),
    "embedded": ("gangerd.cli.servers", "Run just the embedded servers, in the foreground."),
    "demo": ("gangerd.cli.demo", "Index Python's standard library with three saboteurs among the jobs."),
    "chaos": ("gangerd.cli.chaos", "From a checkout: inject faults for a while, account for every job."),
    "bench": ("gangerd.cli.bench", "Measure what this machine does with ganger, beside yardsticks."),
    "push": ("gangerd.cli.push", "Push a job by its type's name."),
    "status": ("gangerd.cli.status", "Queues, workers and totals at a glance."),
    "health": ("gangerd.cli.health", "Whether this host's ganger is live and ready, as an exit code."),
    "queues": ("gangerd.cli.looking", "What waits, where, and for how long."),
    "workers": ("gangerd.cli.looking", "Every worker of every host and what it runs."),
    "crashes": ("gangerd.cli.looking", "Which jobs killed their workers, and of what."),
    "why": ("gangerd.cli.reasons", "Why a job is not running."),
    "scheduled": ("gangerd.cli.upcoming", "Jobs that were pushed for later."),
    "retries": ("gangerd.cli.upcoming", "Jobs that have failed and will be tried again."),
    "job": ("gangerd.cli.jobs", "Look at one job, run it now, or cancel it."),
    "cron": ("gangerd.cli.crons", "Jobs that come by the clock: list, next, pause, resume, run, history."),
    "queue": ("gangerd.cli.queue", "One queue: pause, resume, clear; keep its past, rewind, replay, skip."),
    "type": ("gangerd.cli.type", "Pause and resume a job type."),
    "dead": ("gangerd.cli.dead", "Dead letters: list, retry, delete."),
    "limits": ("gangerd.cli.limits", "Limits: what is used of them, by whom; set one while all run."),
    "batches": ("gangerd.cli.batches", "Batches under way, and those of the last day."),
    "batch": ("gangerd.cli.batches", "Look at one batch, commit or delete it."),
}


class Commands(click.Group):
    """Subcommands by name, their modules imported on use. Help needs the names and lines above alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_")
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        click.echo(f"ganger {version('ganger')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="And exit."
)
def ganger() -> None:
    """Prefork supervisor for background jobs on Redis Cluster: it knows which job killed which worker."""


def run() -> NoReturn:
    open_standard_files()
    try:
        _check_words(sys.argv[1:])
        code = ganger.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = EXIT_USAGE
    except click.ClickException as error:
        code = _say(error.format_message(), EXIT_FAILED)
    except (click.Abort, KeyboardInterrupt) as interrupted:
        if interrupted.__suppress_context__ and interrupted.__cause__ is None:
            click.echo(err=True)  # at a question, not by a "no": click leaves the cursor behind it
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except Exception as error:
        if os.environ.get("GANGER_TRACEBACK"):
            raise
        code = _failed(error)
    sys.exit(code if isinstance(code, int) else 0)


def _check_words(words: Sequence[str]) -> None:
    """Bytes that are no UTF-8 arrive as lone surrogates, which can be neither sent nor printed: refused
    before anything is done. Raises UsageError."""
    for word in words:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise click.UsageError(f"{word!a} is no UTF-8, which all names here are.")


def open_standard_files() -> None:
    """Those that the caller has closed lead to nowhere. Otherwise the next file opened, a lock or a socket,
    would get the number 1 or 2, and with it what somebody prints."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != fd:
                os.dup2(nowhere, fd)
                os.close(nowhere)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", closefd=False))


def _failed(error: Exception) -> int:
    if isinstance(error, GangerdError):
        return _say(str(error), error.exit_code)
    # An error of the engine can only be there when the engine is loaded already.
    engine = sys.modules.get("ganger.errors")
    if engine is not None and isinstance(error, engine.GangerError):
        return _say(str(error), EXIT_CONFIG if is_wrong_setting(error) else EXIT_FAILED)
    if isinstance(error, OSError):
        # "[Errno 13] ..." is not a sentence for people.
        where = "" if error.filename is None else f"{error.filename}: "
        return _say(f"{where}{error.strerror or error}", EXIT_FAILED)
    what = f"{type(error).__name__}: {error}"
    return _say(f"this is a mistake in ganger: {what} (GANGER_TRACEBACK=1 shows where)", EXIT_FAILED)


def is_wrong_setting(error: Exception) -> bool:
    """Whether an error of the engine says that the settings, ours or the server's, must be changed."""
    from ganger import errors

    return isinstance(
        error,
        errors.NotConfigured
        | errors.BadSettings
        | errors.NotACluster
        | errors.WrongPassword
        | errors.ServerTooOld
        | errors.EvictionEnabled
        | errors.NoDisk,
    )


def _say(text: str, code: int) -> int:
    for line in text.splitlines():
        click.echo(f"ganger: {line}", err=True)
    return code
