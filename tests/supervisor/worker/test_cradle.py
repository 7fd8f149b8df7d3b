"""From the fork to the first claim: a newborn that nobody wants any more."""

import os
from pathlib import Path

from gangerd.config import Config
from gangerd.worker.birth import Birth
from gangerd.worker.cradle import settle_in
from support.children import fork


def test_a_newborn_whose_leaf_is_gone_leaves_without_a_word(tmp_path: Path) -> None:
    """Its template died in the middle of this birth, and the master has removed what it had made for it."""
    birth = Birth(
        slot=0,
        incarnation="00000000000000b1",
        generation=1,
        channel_fd=-1,
        crash_fd=-1,
        recorder_fd=-1,
        doorbell_fd=-1,
        master_pid=os.getpid(),
        host="00000000000000a1",
        config=Config(app="x"),
        leaf=str(tmp_path / "gone"),
    )

    def newborn() -> None:
        assert settle_in(birth, lambda: None) is None

    assert os.waitpid(fork(newborn), 0)[1] == 0
