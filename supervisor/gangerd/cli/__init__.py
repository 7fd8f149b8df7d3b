"""The command `ganger`. One file per group of commands, loaded only when one of them is called: a look at the
state must not wait for the import of what it does not use."""


def main() -> None:
    """The entry point of the console script; ends the process with the exit codes of config.py."""
    try:
        from gangerd.cli.entry import run
    except KeyboardInterrupt:  # the import alone takes a tenth of a second
        raise SystemExit(130) from None
    run()
