"""The peer's wheel does not compile its alignment search; ours stands in under its name, for any program of the peer's.

`python -m benchmarks.peer.alignment MODULE [ARGUMENT ...]` runs a module of the peer's with it, as `python -m` would.
"""

from __future__ import annotations

import runpy
import sys
import types

NAME = "piper.train.vits.monotonic_align"


def install() -> None:
    """Makes `from . import monotonic_align` inside the peer find our search. Call before importing its trainer."""
    from piper_core.vits.alignment import maximum_path

    module = types.ModuleType(NAME)
    module.maximum_path = maximum_path  # type: ignore[attr-defined]
    sys.modules[NAME] = module
    import piper.train.vits

    piper.train.vits.monotonic_align = module  # type: ignore[attr-defined]


if __name__ == "__main__":
    install()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
