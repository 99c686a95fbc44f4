"""`python -m ds_assets.local_servers` installs the server programs that are missing."""

import sys

from ds_assets.errors import InputError
from ds_assets.local_servers.install import install_missing

if __name__ == "__main__":
    try:
        install_missing(lambda text: print(text, flush=True))  # noqa: T201
    except InputError as error:
        sys.exit(f"ds_assets.local_servers: {error}")
