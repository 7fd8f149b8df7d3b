"""A batch with real workers, from its first member to its success, with a death in between."""

from pathlib import Path

from ganger import Batch
from support import batch_app as app
from support.scene import Scene
from support.waiting import until


def test_a_batch_with_a_member_that_dies_succeeds_when_that_is_sent_back(
    scene: Scene, tmp_path: Path
) -> None:
    """Its death fires at once, complete when all have ended, success only after the dead letter was sent
    back and did its work."""
    scene.gang(app="support.batch_app")
    callbacks = {which: (app.tells, which) for which in ("death", "complete", "success")}
    cure = tmp_path / "cure"
    with Batch(**callbacks, description="an import", client=scene.client) as batch:
        batch.push_many(app.works, [(number,) for number in range(60)])
        batch.push(app.adds, 20)
        victim = batch.push(app.segfaults_without, str(cure))

    def told() -> list[tuple[str, str]]:
        lines = [line for line in scene.journal.lines() if line["what"] == "callback"]
        return [(line["told"], line["batch"]) for line in sorted(lines, key=lambda line: line["at_ns"])]

    def members() -> int:
        return sum(line["what"] == "member" for line in scene.journal.lines())

    scene.await_dead(victim)
    both = {("death", batch.bid), ("complete", batch.bid)}
    until(lambda: set(told()) == both, "death and complete", 20)
    until(lambda: batch.status().complete == "succeeded", "the end of the complete callback", 20)
    status = scene.command("batch", "show", batch.bid)
    assert (status["state"], status["total"], status["succeeded"], status["failed"]) == (
        "complete",
        82,
        81,
        1,
    )
    assert list(status["failures"].values()) == [f"dead {victim}"]
    assert status["success"] == "waiting"
    assert members() == 80
    cure.touch()
    scene.command("dead", "retry", victim)
    until(lambda: batch.status().success == "succeeded", "the success and its callback", 20)
    assert told()[2:] == [("success", batch.bid)]
    scene.await_all_done()
    assert (members(), len(told())) == (80, 3)
    assert [(one["bid"], one["state"]) for one in scene.command("batches")] == [(batch.bid, "success")]
