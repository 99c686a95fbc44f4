"""`python -m ds_assets.services` installs the programs of the private servers that are missing."""

import sys

from ds_assets.errors import InputError
from ds_assets.services.install import install_missing

if __name__ == "__main__":
    try:
        install_missing(lambda text: print(text, flush=True))  # noqa: T201
    except InputError as error:
        sys.exit(f"ds_assets.services: {error}")
