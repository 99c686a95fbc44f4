import feature_list


def test_the_page_of_features_lists_what_is_declared() -> None:
    assert feature_list.PAGE.read_text(encoding="utf-8") == feature_list.page(), "run make features"
