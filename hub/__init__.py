"""The hub: an open integration hub for fiscal receipts.

Plugin authors import the marker :data:`hookimpl` from here and everything else from
:mod:`hub.contracts`, :mod:`hub.fiscal` and :mod:`hub.testing`.
"""

from pluggy import HookimplMarker, HookspecMarker

__version__ = "0.1.0"

PROJECT = "hub"
hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)

__all__ = ["PROJECT", "__version__", "hookimpl", "hookspec"]
