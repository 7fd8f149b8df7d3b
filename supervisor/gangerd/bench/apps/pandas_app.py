"""An app that imports pandas."""

import importlib

from gangerd.bench.apps.jobs import noop

__all__ = ["noop"]

importlib.import_module("pandas")
