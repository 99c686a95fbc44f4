from ds_assets.infra.engines.duckdb import open_duckdb


def test_the_engine_is_opened_once() -> None:
    assert open_duckdb(512, 2) is open_duckdb(512, 2)
