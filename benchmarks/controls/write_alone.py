"""Upload bytes to Azure Blob: `python -m benchmarks.controls.write_alone CONTAINER OBJECTS SIZE`.

CONTAINER is a URL; the bytes come from memory.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.child import Start, tell
from ds_assets.infra.lake.azure_blob import blob_service, credential_of_environment

AT_ONCE = 4


def run(container: str, objects: int, size: int) -> None:
    account, _, name = container.rpartition("/")
    content = os.urandom(size)
    with blob_service(account, credential_of_environment()) as service:
        client = service.get_container_client(name)

        def write(number: int) -> None:
            client.upload_blob(f"alone/{number}", content, overwrite=True, max_concurrency=2)

        with ThreadPoolExecutor(AT_ONCE) as executor:
            list(executor.map(write, range(objects)))


def main() -> None:
    container, objects, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    import azure.storage.blob  # noqa: F401, PLC0415  (start-up is not measured)

    start = Start.now()
    run(container, objects, size)
    tell(start, objects=objects)


if __name__ == "__main__":
    main()
