import pytest

from ds_assets.errors import InputError
from ds_assets.resources.cache import PredictionCache


@pytest.mark.parametrize(
    "url", ["http://u:s3cret@host", "redis://u:s3cret@host:port", "redis://u:s3cret@[host"]
)
def test_a_url_that_is_none_is_a_clear_mistake_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(InputError, match="DS_ASSETS_CACHE_URL is not") as caught:
        PredictionCache(url, "game", 7)
    assert "s3cret" not in str(caught.value)
