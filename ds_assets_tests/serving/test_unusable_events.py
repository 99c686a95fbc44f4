from ds_assets.serving.unusable_events import MAX_EVENTS_NAMED, UnusableEventsError


def test_the_first_events_are_named_in_their_order_and_the_others_are_counted() -> None:
    error = UnusableEventsError(dict.fromkeys(reversed(range(1500)), "not JSON"))
    assert list(error.named) == list(range(MAX_EVENTS_NAMED))
    assert error.others == 1_500 - MAX_EVENTS_NAMED
    message = str(error)
    assert message.startswith("1,500 events of the request cannot be used: event 1: not JSON; ")
    assert message.endswith("; event 20: not JSON; and 1,480 others")


def test_a_single_event_is_named_alone() -> None:
    error = UnusableEventsError({3: "no event type"})
    assert str(error) == "an event of the request cannot be used: event 4: no event type"
    assert error.others == 0
