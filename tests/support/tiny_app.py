"""An application of one job, for masters that only need something to import."""

from ganger import job


@job(name="tiny.job", queue="q")
def nothing() -> None:
    """Does it."""
