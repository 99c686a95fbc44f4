"""Install the load generators if they are missing: `python -m benchmarks.programs`."""

import sys

from benchmarks.measuring import say
from ds_assets.errors import InputError
from ds_assets.local_servers.install import Program, install_missing

PROGRAMS = (
    Program("redis-server", "the cache", ("redis-server",)),
    Program("redis-benchmark", "loads on Redis", ("redis-tools",)),
    Program("wrk", "loads over HTTP", ("wrk",)),
)


if __name__ == "__main__":
    try:
        install_missing(say, PROGRAMS)
    except InputError as error:
        sys.exit(f"benchmarks: {error}")
