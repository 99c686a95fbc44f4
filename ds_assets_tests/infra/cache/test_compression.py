"""Compressed values come back byte for byte, whatever thread reads them."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.prediction_json import encode_record
from ds_assets.infra.cache.compression import DICTIONARY_ID, decompress, open_compressor
from ds_assets.infra.cache.format import FORMAT
from ds_assets_tests.infra.factories import row


@given(contents=st.lists(st.binary(max_size=2_000), max_size=20))
def test_contents_come_back_as_they_were(contents: list[bytes]) -> None:
    compressed = list(map(open_compressor(), contents))
    assert list(map(decompress, compressed)) == contents


def test_threads_read_at_the_same_time() -> None:
    contents = [f"user {number}".encode() * number for number in range(1, 500)]
    compressed = list(map(open_compressor(), contents)) * 10
    with ThreadPoolExecutor(4) as readers:
        assert list(readers.map(decompress, compressed, chunksize=50)) == contents * 10


def test_what_values_have_in_common_takes_hardly_any_space() -> None:
    members = encode_record(row("a", churn_reasons=None, payment_reasons=None)).members
    assert len(open_compressor()(members)) < len(members) / 4


def test_a_value_of_another_dictionary_is_of_another_format() -> None:
    assert DICTIONARY_ID in FORMAT.splitlines()
