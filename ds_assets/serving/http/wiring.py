"""The API of this installation, put together from the settings.

Belongs here: which settings go where.
"""

from functools import partial

from ds_assets.serving.http.app import App, OpenBackend
from ds_assets.serving.http.auth import Authenticator, KeyFile
from ds_assets.serving.http.server import serve
from ds_assets.serving.http.workers import Shared
from ds_assets.settings import Settings


def serve_installed(
    opening: OpenBackend, settings: Settings, host: str, port: int, workers: int
) -> None:
    """Answer requests until this process is told to end.

    Args:
        opening: Opens who answers, in each worker.
        settings: The installation.
        host: Address to listen at.
        port: Port to listen at.
        workers: Processes.

    Raises:
        InputError: others than this machine could ask, and there is no key.
    """
    serve(partial(made_app, opening, settings), KeyFile(settings.api_keys), host, port, workers)


def made_app(opening: OpenBackend, settings: Settings, shared: Shared) -> App:
    """The application of one worker.

    Args:
        opening: Opens who answers.
        settings: The installation.
        shared: What the workers have in common.
    """
    gate = Authenticator(KeyFile(settings.api_keys), settings.requests_per_key)
    return App(opening, gate, settings.requests_at_once, shared)
