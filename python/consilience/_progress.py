"""Progress, where Python's own output goes: in a notebook, below the cell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class Progress:
    """Tells what is being done: lines, and in a notebook that has tqdm a bar of what is being trained."""

    def __init__(self) -> None:
        self._new_bar = _tqdm()
        self._bar: Any = None

    def __call__(self, line: str, share: float | None = None) -> None:
        """Tell a line; with `share`, how far what it names is, 0 to 1."""
        if share is None:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            print(line, flush=True)
        elif self._new_bar is not None:
            if self._bar is None:
                self._bar = self._new_bar(total=100, desc=line, leave=False, bar_format="{l_bar}{bar}| {elapsed}")
            self._bar.update(int(100 * share) - self._bar.n)


def _tqdm() -> Callable[..., Any] | None:
    """What makes a bar, if this is a notebook."""
    if "ipykernel" not in sys.modules:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    made: Callable[..., Any] = tqdm
    return made
