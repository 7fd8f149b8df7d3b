"""HUP with an application that is good, and with one that can't be imported."""

from pathlib import Path

from systemd_lab.guest.lab import UNIT, check, document, ended, logged, prop, push, sh, skip, until

APP = Path("/srv/lab/lab_jobs.py")


def main() -> None:
    good, master = APP.read_text(), prop("MainPID")
    before = len(logged("master.serving"))
    sh("systemctl", "reload", UNIT)
    if until(lambda: logged("reload.refused"), "a refusal", 3):
        skip("HUP reloads the application", "this version has no reload")
        return
    told = until(lambda: "generation 2" in prop("StatusText"), "generation 2")
    check(told, "HUP brings a new generation of workers in", prop("StatusText"))
    check(prop("MainPID") == master, "the master stays", before)
    push("work", "reloaded")
    check(ended("reloaded"), "and jobs are run")
    APP.write_text(good + "\nimport no_such_module\n")
    sh("systemctl", "reload", UNIT)
    failed = until(lambda: "no_such_module" in prop("StatusText"), "a word on why")
    check(failed, "an application that can't be imported is told of", prop("StatusText"))
    push("work", "still")
    check(ended("still") and prop("ActiveState") == "active", "and the old generation serves on")
    states = {worker["generation"] for worker in document("workers")}
    check(states == {2}, "in generation 2", states)
    APP.write_text(good)
