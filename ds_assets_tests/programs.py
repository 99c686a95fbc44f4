"""Programs that tests start."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GRACE_SECONDS = 30
"""Time to end by itself before a program is killed."""


@contextmanager
def running(command: Sequence[str | Path], **options: Any) -> Iterator[None]:
    """Run a program until the context ends; then it is asked to end, and killed if it does not.

    A process of tests may ignore SIGTERM, as libraries leave it, which its children inherit.
    """
    process = subprocess.Popen(  # noqa: S603  (our own commands)
        command,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),  # noqa: PLW1509
        **options,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
