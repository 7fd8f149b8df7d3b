"""A queue's past as a whole: rewind, replay, skip, undo over all its partitions. See drive.py."""
