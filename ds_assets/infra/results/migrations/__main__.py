"""`python -m ds_assets.infra.results.migrations` creates or upgrades the results database's schema.

For the owner of a database whose other accounts may not change it. The URL is
DS_ASSETS_RESULTS_URL. The exit codes are those of `ds-assets`.
"""

from ds_assets.errors import exit_on_error
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.results.schema import SCHEMA_VERSION
from ds_assets.settings import load_settings


def main() -> None:
    """Upgrade the schema, and print its version."""
    with exit_on_error(), ResultsDatabase(load_settings().results_url) as database:
        database.ensure_schema()
        print(f"the results database has schema version {SCHEMA_VERSION}")  # noqa: T201


if __name__ == "__main__":
    main()
