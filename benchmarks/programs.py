"""Install the programs of benchmarks if they are missing: `python -m benchmarks.programs [peers]`.

Without `peers` those that tests need as well.
"""

import sys

from benchmarks.measuring import say
from ds_assets.errors import InputError
from ds_assets.local_servers.install import Program, install_missing

PROGRAMS = (
    Program("redis-server", "the cache", ("redis-server",)),
    Program("redis-benchmark", "loads on Redis", ("redis-tools",)),
    Program("wrk", "loads over HTTP", ("wrk",)),
)
PEERS = (
    Program("rclone", "a peer of the copy of logs", ("rclone",)),
    Program("webdis", "a peer of the API", ("webdis",)),
)


if __name__ == "__main__":
    try:
        install_missing(say, PROGRAMS + PEERS * ("peers" in sys.argv))
    except InputError as error:
        sys.exit(f"benchmarks: {error}")
