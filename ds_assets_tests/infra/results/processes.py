"""Runs functions in other processes, which can be killed.

They are forked from a server process that has imported the slow modules, so starting one takes
milliseconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "ds_assets_tests.infra.results.databases",
        "ds_assets.infra.results.backends.mysql",
        "ds_assets.infra.results.backends.postgresql",
    ]
)


@contextmanager
def running(
    function: Callable[..., None], *arguments: Any
) -> Iterator[tuple[BaseProcess, "Connection[Any, Any]"]]:
    """Run a function in another process, which is killed at the end of the block.

    Args:
        function: At the top of a module. Its first argument is the end of a pipe that it sends to.
        *arguments: Its other arguments.

    Yields:
        The process, and the end of the pipe that receives from it.
    """
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=function, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        yield process, receiver
    finally:
        process.kill()
        process.join()
        process.close()
        receiver.close()
