"""The bugs that can be planted: each applies to ganger as it is, and what it makes of it loads."""

import filecmp
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ganger
from chaos.plants import PLANTS, plant
from gangerd.cli import chaos
from support.servers import ClusterServers

LOADS = """
import sys
import ganger, ganger.throttle.quorum
from ganger.scripts import script
print(ganger.__file__)
if sys.argv[1].endswith(".lua"):
    print(script(sys.argv[1][4:-4]).source.hex())
"""


def test_the_command_offers_all_of_them() -> None:
    assert set(chaos.PLANTS) == set(PLANTS)


@pytest.mark.parametrize("name", PLANTS)
def test_it_changes_one_file_of_a_copy_that_loads(
    tmp_path: Path, cluster_servers: ClusterServers, name: str
) -> None:
    path, package = plant(name, tmp_path / "planted"), Path(ganger.__file__).parent
    files = [str(file.relative_to(package)) for file in package.rglob("*") if file.suffix in (".py", ".lua")]
    _, changed, missing = filecmp.cmpfiles(package, path / "ganger", files, shallow=False)
    assert (changed, missing) == ([PLANTS[name][0]], [])
    done = subprocess.run(
        [sys.executable, "-c", LOADS, changed[0]],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found, *source = done.stdout.split()
    assert Path(found).is_relative_to(path), "the copy is what the processes of a run import"
    for code in source:
        cluster_servers.nodes[0].client.script_load(bytes.fromhex(code))
