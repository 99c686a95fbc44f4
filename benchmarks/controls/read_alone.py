"""Read objects of S3 and discard them: `python -m benchmarks.controls.read_alone BUCKET PREFIX`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from boto3.session import Session

from benchmarks.child import Start, tell

AT_ONCE = 4
BLOCK = 4 << 20


def run(client: Any, bucket: str, prefix: str) -> int:
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]

    def read(item: dict[str, Any]) -> None:
        for _ in client.get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_chunks(BLOCK):
            pass

    with ThreadPoolExecutor(AT_ONCE) as executor:
        list(executor.map(read, listed))
    return len(listed)


def main() -> None:
    client = Session().client("s3")
    start = Start.now()
    tell(start, objects=run(client, sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    main()
