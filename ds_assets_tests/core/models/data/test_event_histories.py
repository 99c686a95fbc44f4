import numpy as np
import pandas as pd

from ds_assets.core.models.data.event_histories import histories_of, purchases_of

NONE, ONCE, OFTEN = 0, 1, 2
FEATURES = pd.DataFrame(
    {
        "lifetime_purchase_days": [0.0, 1.0, 4.0],
        "lifetime_purchase_gap": [np.nan, np.nan, 10 / 3],
        "lifetime_days_since_purchase": [np.nan, 9.0, 2.0],
        "lifetime_spend": [0.0, 5.0, -1.0],
    }
)


def test_histories_count_from_the_first_day_of_a_kind_to_the_day_of_the_features() -> None:
    histories = histories_of(FEATURES, "purchase")
    assert [values[ONCE] for values in histories] == [0, 0, 9]
    assert [values[OFTEN] for values in histories] == [3, 10, 12]


def test_a_user_without_such_a_day_has_no_history() -> None:
    x, t_x, t = histories_of(FEATURES, "purchase")
    assert x[NONE] == -1
    assert np.isnan([t_x[NONE], t[NONE]]).all()


def test_more_refunds_than_spend_are_no_amount() -> None:
    number, total = purchases_of(FEATURES)
    assert number.tolist() == [0, 1, 4]
    assert total.tolist() == [0, 5, 0]
