"""Exports of analytics services: by which fields they are recognized, and what is special in them.

Scope: what their documentation says and lines alone do not show. Everything else, such as which
types are purchases, is guessed as for any other log.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

_CALLS = ("identify", "group", "alias")
_SNOWPLOW_COLUMNS = (
    "app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id "
    "name_tracker v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint "
    "domain_userid domain_sessionidx network_userid geo_country geo_region geo_city "
    "geo_zipcode geo_latitude geo_longitude geo_region_name ip_isp ip_organization ip_domain "
    "ip_netspeed page_url page_title page_referrer page_urlscheme page_urlhost page_urlport "
    "page_urlpath page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport "
    "refr_urlpath refr_urlquery refr_urlfragment refr_medium refr_source refr_term mkt_medium "
    "mkt_source mkt_term mkt_content mkt_campaign contexts se_category se_action se_label "
    "se_property se_value unstruct_event tr_orderid tr_affiliation tr_total tr_tax "
    "tr_shipping tr_city tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price "
    "ti_quantity pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent "
    "br_name br_family br_version br_type br_renderengine br_lang br_features_pdf "
    "br_features_flash br_features_java br_features_director br_features_quicktime "
    "br_features_realplayer br_features_windowsmedia br_features_gears "
    "br_features_silverlight br_cookies br_colordepth br_viewwidth br_viewheight os_name "
    "os_family os_manufacturer os_timezone dvce_type dvce_ismobile dvce_screenwidth "
    "dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base tr_tax_base "
    "tr_shipping_base ti_currency ti_price_base base_currency geo_timezone mkt_clickid "
    "mkt_network etl_tags dvce_sent_tstamp refr_domain_userid refr_dvce_tstamp "
    "derived_contexts domain_sessionid derived_tstamp event_vendor event_name event_format "
    "event_version event_fingerprint true_tstamp"
)
"""Columns of the enriched events, which have no header, separated by blanks."""


@dataclass(frozen=True)
class KnownExport:
    """An export of a service.

    Attributes:
        name: Its name.
        signature: Fields by which it is recognized: all of them are there.
        fields: Fields of values, by key of `fields`; those that lines lack are left out.
        logs: What `logs` must have, by its keys.
        left_out: Field and values of lines that are no events, if there are some.
        is_in_cents: Whether amounts are in hundredths of their currency.
    """

    name: str
    signature: frozenset[str]
    fields: Mapping[str, Any]
    logs: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, tuple[str, ...]] | None = None
    is_in_cents: bool = False


EXPORTS = (
    KnownExport(
        "Firebase or Google Analytics 4 in BigQuery",
        frozenset({"event_timestamp", "event_name", "user_pseudo_id"}),
        {
            "user_id": ["user_id", "user_pseudo_id"],
            "event_time": "event_timestamp",
            "event_type": "event_name",
            "amount": "event_value_in_usd",
        },
    ),
    KnownExport(
        "Amplitude",
        frozenset({"event_type", "event_time", "uuid", "device_id"}),
        {
            "user_id": ["user_id", "device_id"],
            "event_time": "event_time",
            "event_type": "event_type",
            "event_id": "uuid",
        },
        {"times_without_zone": "UTC"},
    ),
    KnownExport(
        "Mixpanel",
        frozenset({"event", "properties.time", "properties.distinct_id"}),
        {
            "user_id": "properties.distinct_id",
            "event_time": "properties.time",
            "event_type": "event",
            "event_id": "properties.$insert_id",
        },
    ),
    KnownExport(
        "Segment or RudderStack",
        frozenset({"type", "messageId", "anonymousId"}),
        {
            "user_id": ["userId", "anonymousId"],
            "event_time": ["timestamp", "originalTimestamp"],
            "event_type": ["event", "type"],
            "event_id": "messageId",
            "amount": ["properties.revenue", "properties.total"],
        },
        left_out=("type", _CALLS),
    ),
    KnownExport(
        "Unity Analytics or deltaDNA",
        frozenset({"userID", "eventTimestamp", "eventName"}),
        {
            "user_id": "userID",
            "event_time": "eventTimestamp",
            "event_type": "eventName",
            "event_id": "eventUUID",
            "amount": "json(eventParams).productsSpent.realCurrency.realCurrencyAmount",
            "currency": "json(eventParams).productsSpent.realCurrency.realCurrencyType",
        },
        is_in_cents=True,
    ),
    KnownExport(
        "GameAnalytics",
        frozenset({"data.category", "data.client_ts", "data.user_id"}),
        {
            "user_id": "data.user_id",
            "event_time": "data.client_ts",
            "event_type": "data.category",
            "amount": "data.amount",
            "currency": "data.currency",
        },
        is_in_cents=True,
    ),
    KnownExport(
        "PlayFab",
        frozenset({"EntityId", "EventName", "Timestamp"}),
        {
            "user_id": "EntityId",
            "event_time": "Timestamp",
            "event_type": "EventName",
            "event_id": "EventId",
            "amount": ["json(EventData).OrderTotal", "EventData.OrderTotal"],
            "currency": ["json(EventData).TransactionCurrency", "EventData.TransactionCurrency"],
        },
        is_in_cents=True,
    ),
    KnownExport(
        "Adjust",
        frozenset({"{activity_kind}", "{created_at}", "{adid}"}),
        {
            "user_id": ["{user_id}", "{adid}"],
            "event_time": "{created_at}",
            "event_type": {"joined": ["{activity_kind}", "{event_name}"]},
            "amount": ["{revenue_usd}", "{reporting_revenue}", "{revenue}"],
        },
    ),
    KnownExport(
        "Snowplow",
        frozenset({"collector_tstamp", "event_name", "domain_userid"}),
        {
            "user_id": ["user_id", "domain_userid"],
            "event_time": ["derived_tstamp", "collector_tstamp"],
            "event_type": "event_name",
            "event_id": "event_id",
            "amount": ["tr_total", "ti_price"],
            "currency": ["tr_currency", "ti_currency"],
        },
        {"times_without_zone": "UTC"},
    ),
)


def find_export(columns: Collection[str]) -> KnownExport | None:
    """Recognize an export by its columns."""
    return next((it for it in EXPORTS if it.signature <= set(columns)), None)


def name_columns(count: int) -> tuple[str, ...]:
    """Name the columns of CSV without a header."""
    snowplow = tuple(_SNOWPLOW_COLUMNS.split())
    if count == len(snowplow):
        return snowplow
    return tuple(f"column_{number}" for number in range(1, count + 1))
