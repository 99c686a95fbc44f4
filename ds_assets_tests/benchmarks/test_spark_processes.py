"""Memory of the processes of Spark."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.servers import children_of
from benchmarks.spark_processes import SparkWatch, descendants, memory_mb, name_of

WORKER = "block = bytearray(64 << 20); import time; print('ready', flush=True); time.sleep(60)"


def test_a_jvm_and_its_workers_are_measured_each_for_itself(tmp_path: Path) -> None:
    jvm = tmp_path / "java"
    jvm.write_text(f'#!/bin/sh\n"{sys.executable}" -c "{WORKER}" &\nwait\n')
    jvm.chmod(0o755)
    with (
        SparkWatch() as watch,
        subprocess.Popen([jvm], stdout=subprocess.PIPE, text=True) as process,  # noqa: S603
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (worker,) = children_of(process.pid)
        assert {process.pid, worker} <= set(descendants(os.getpid()))
        assert name_of(process.pid) == "java"
        deadline = time.monotonic() + 30
        while watch.workers_mb < 64 and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in (worker, process.pid):
            os.kill(pid, 9)
    assert watch.workers_mb >= 64
    assert 0 < watch.jvm_mb < 32


def test_a_process_that_has_ended_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert name_of(process.pid) == ""
    assert memory_mb(process.pid, "status", "VmHWM") == 0.0
    assert list(descendants(process.pid)) == []
