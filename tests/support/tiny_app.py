"""An application of one job, for masters that only need something to import."""

import sys
import types

stand_in = types.ModuleType("ganger.actor")
stand_in.manifest = lambda: {"types": {"tiny.job": {"queue": "q"}}}  # type: ignore[attr-defined]
sys.modules.setdefault("ganger.actor", stand_in)
