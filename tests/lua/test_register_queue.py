"""register_queue: the first caller's number of partitions holds, as long as it is a number."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control


def test_the_first_number_holds(cluster: Cluster) -> None:
    keys = Control("ganger")
    assert control.register_queue(cluster, keys, "mail", 4) == 4
    assert control.register_queue(cluster, keys, "mail", 12) == 4
    assert control.register_queue(cluster, keys, "slow") == 12
    assert control.queues(cluster, keys) == {"mail": 4, "slow": 12}


@pytest.mark.parametrize("word", ["", "0", "many", "-4", "4.5", "99999"])
def test_a_word_that_is_no_number_is_replaced(cluster: Cluster, word: str) -> None:
    keys = Control("ganger")
    cluster.run(Command(keys.slot, ("HSET", keys.catalog, "mail", word, "{", "4")))
    assert control.queues(cluster, keys) == {}
    assert control.register_queue(cluster, keys, "mail", 4) == 4
    assert control.queues(cluster, keys) == {"mail": 4}
