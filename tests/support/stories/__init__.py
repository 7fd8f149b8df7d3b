"""Stories of what callers and daemon do, told by tests/engine/test_every_fault.py on a stage (stage.py)."""

from support.stories import batches, clocks, guards, laning, lives, operators, pasts, pushes
from support.stories.registry import STORIES as STORIES

_ = (batches, clocks, guards, laning, lives, operators, pasts, pushes)
