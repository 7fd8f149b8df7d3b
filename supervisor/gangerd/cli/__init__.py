"""The command `ganger`. One file per group of commands, loaded only when one of them is called: a look at the
state must not wait for the import of what it does not use."""


def main() -> None:
    """The entry point of the console script; ends the process with the exit codes of config.py."""
    from gangerd.cli.entry import run

    run()
