"""Ctrl-C, forks and memory, each in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

import consilience

#: Before whatever a test's process does.
HEAD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from conftest import QUICK, quick
from consilience import Consilience, pseudo_label
rng = np.random.default_rng(0)
"""


def start(script: str) -> subprocess.Popen[str]:
    whole = HEAD + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", whole],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(script: str, seconds: float = 60) -> str:
    process = start(script)
    told, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, told
    return told


#: What takes long, and how long after its start it is interrupted.
LONG = {
    "distances": ("Consilience(3).fit(rng.normal(size=(60_000, 128)))", 1.5),
    "training": (
        "quick(3, settings={'first': {'min_steps': 10**6}}).fit(rng.normal(size=(2000, 64)))",
        1.0,
    ),
    "predicting": ("model.predict(many)", 0.5),
    "votes": ("pseudo_label(rng.integers(0, 40, (12, 3_000_000)), 40)", 1.0),
}


@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_is_answered(name: str) -> None:
    call, after = LONG[name]
    process = start(f"""
        if {name == "predicting"}:
            groups = np.repeat(np.eye(16), 100, axis=0) * 9 + rng.normal(size=(1600, 16))
            networks = {{"candidates": 0, "communities": 0, "first": {{"min_steps": 20}}}}
            model = quick(4, n_models=6, settings=networks).fit(groups)
            many = rng.normal(size=(2_000_000, 16)).astype(np.float32)
        print("begun", flush=True)
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        else:
            print("finished", flush=True)
        # And the interpreter goes on.
        print(quick(2).fit(np.repeat([[0.0], [9.0]], 20, axis=0)).labels_.shape, flush=True)
    """)
    assert process.stdout is not None
    begun = process.stdout.readline()
    assert begun == "begun\n", (begun, process.stdout.read(), process.wait(timeout=60))
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    line = process.stdout.readline()
    took = time.monotonic() - begin
    rest = process.stdout.read()
    assert process.wait(timeout=60) == 0, rest
    assert line == "interrupted\n", (line, rest)
    assert rest == "(40,)\n"
    print(f"{name}: {took:.2f} s")
    assert took < 1.0, f"{took:.2f} s; half a second on a machine that does nothing else"


def test_nothing_hangs_after_a_fork() -> None:
    told = finish("""
        import multiprocessing
        X = np.repeat([[0.0, 1.0], [9.0, 5.0]], 100, axis=0) + rng.normal(size=(200, 2))
        model = quick(2).fit(X)
        def work(seed):
            return (model.predict(X) == model.labels_).all() and len(quick(2, random_state=seed).fit(X).labels_) == 200
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map_async(work, range(4)).get(timeout=50))
        print((model.predict(X) == model.labels_).all())
    """)
    assert told.split() == ["[True,", "True,", "True,", "True]", "True"] or told.count("True") == 5


def test_many_fits_do_not_grow() -> None:
    told = finish(
        """
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096 / 2**20
        X = np.repeat([[0.0] * 32, [9.0] * 32], 250, axis=0) + rng.normal(size=(500, 32))
        def once():
            model = quick(2).fit(X)
            model.predict(X)
        for _ in range(10):
            once()
        before = resident()
        for _ in range(100):
            once()
        print(resident() - before)
        """,
        120,
    )
    grown = float(told)
    print(f"grown by {grown:.1f} MiB")
    assert grown < 20.0


def test_the_package_is_there_at_once() -> None:
    told = finish("""
        import subprocess
        script = "import sys, consilience; print('sklearn' in sys.modules, 'Consilience' in dir(consilience))"
        print(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout)
    """)
    assert told.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="no attribute 'Consiliance'"):
        consilience.Consiliance


def test_an_exception_of_progress_ends_the_fit(blobs: Any) -> None:
    from consilience import _core

    class Enough(Exception):
        pass

    def tell(line: str) -> None:
        raise Enough(line)

    agreement = dict.fromkeys(("min_agree", "max_agree", "min_common", "min_confidence"))
    options = {
        "preset": "tabular", "effort": "default", "settings": None, "seed": None, "rounds": None, "models": None,
        "agreement": agreement, "threads": 0, "views": [],
    }  # fmt: skip
    with pytest.raises(Enough):
        _core.fit(blobs[0], (3, 3), options, verbose=1, tell=tell)
