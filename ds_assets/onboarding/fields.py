"""Which field has the user, the time, the type, the id and the amount of an event.

Scope: names that such fields usually have, and what their values must be like.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ds_assets.field_paths import Entry, JsonText, Member, parse_path
from ds_assets.game import Csv
from ds_assets.onboarding.exports import KnownExport
from ds_assets.onboarding.guess import Guess, is_abbreviation, show_values, without_accents
from ds_assets.onboarding.times import TimeFormat, distances_in_days, find_time_format

_USER = (
    *("userid", "playerid", "customerid", "accountid", "gamerid", "memberid", "householdid"),
    *("userkey", "useruuid", "userguid", "playeruuid", "distinctid", "profileid", "uid", "pid"),
    *("externalid", "user", "player", "account", "customer", "member", "username"),
    *("iduser", "idplayer", "idjogador", "jogador", "idjugador", "jugador", "idusuario", "usuario"),
    *("idjoueur", "joueur", "idutilisateur", "spielerid", "spielernr", "spieler", "benutzerid"),
    *("nutzerid", "kundennr", "idgiocatore", "giocatore", "idutente", "oyuncuid", "graczid"),
)
_ANONYMOUS = (
    *("anonymousid", "userpseudoid", "deviceid", "adid", "domainuserid", "idfv", "idfa"),
    *("gpsadid", "installationid", "installid", "clientid", "visitorid", "cookieid"),
)
_TIME = (
    *("occurredat", "happenedat", "emittedat", "firedat"),
    *("eventtime", "eventtimestamp", "eventts", "timestamp", "time", "ts", "datetime", "eventdate"),
    *("clientts", "clienttime", "clienttimestamp", "clienteventtime", "createdat"),
    *("eventdatetime", "logtime", "logtimestamp", "sessionstart", "starttime", "purchasetime"),
    *("purchasedat", "orderdate", "invoicedate", "servertime", "logindate", "date", "day", "when"),
)
_NO_TIME = (
    *("recei", "upload", "process", "ingest", "sent", "load", "upd", "install", "first", "last"),
    *("birth", "regis", "signup", "expir", "previous", "etl", "acqui", "end", "joined", "startda"),
)
"""Parts of the names of times that are not those of events."""
_TYPE = (
    *("eventtype", "eventname", "event", "evt", "type", "action", "activitykind", "eventkind"),
    *("logtype", "eventaction", "name", "kind", "category", "operation", "op", "verb", "message"),
    *("msgtype", "itemtype", "transactiontype", "activitytype", "messagetype", "recordtype"),
    *("eventcategory",),
)
_EVENT_ID = (
    *("eventid", "eventuuid", "eventuid", "insertid", "messageid", "uuid", "eventguid", "guid"),
    *("idevent", "idevento", "idevenement", "ereignisid", "idtransacao", "idtransaccion"),
    *("id", "transactionid", "orderid", "logid", "rowid", "recordid", "sessionid"),
)
_AMOUNT = (
    *("usd", "eventvaluein", "revenue", "itemrevenue", "amountpaid", "paid", "amount", "netamount"),
    *("total", "ordertotal", "price", "pricein", "itemprice", "unitprice", "salesvalue", "sales"),
    *("transactionvalue", "transactionamount", "purchaseamount", "purchasevalue", "purchaseprice"),
    *("productprice", "iapprice", "spend", "value", "cost"),
    *("reviap", "reviapday", "rev", "revall", "revallday"),
    *("payamt", "payamount", "paidamount", "montant", "prix", "betrag", "preis", "importe"),
    *("precio", "monto", "valor", "preco", "importo", "prezzo", "priceamount"),
)
_MONEY = ("price", "amount", "revenue")
"""Words whose abbreviations are amounts."""
_DIVIDED = re.compile(
    r"(?P<amount>.+?)(in)?((?P<micros>micros?)|cents?|centavos|centimos|centimes|pence|minor(units?)?)"
)
"""Names of amounts in millionths, or in hundredths."""
_QUANTITY = ("quantity", "qty", "units", "count")
_UNIT_PRICE = ("price", "unitprice", "itemprice", "priceperunit")
_CURRENCY = (
    *("currency", "currencycode", "isocurrency", "isocurrencycode", "transactioncurrency"),
    *("realcurrencytype", "pricecurrency", "moeda", "moneda", "divisa", "waehrung", "devise"),
)
_ENDS_IN_CURRENCY = re.compile(r".+currency(code)?")
_VIRTUAL = re.compile(r"gold|gem|coin|diamond|crystal|virtual|soft|hard|token|point|energy|ticket")
_UNIQUE = 0.98
"""Share of different values from which a field is an id of events."""
_MAX_TYPES = 500
_FEW_TYPES = 50
_CODED_AMOUNT = re.compile(r"[^\d\s.,+-]{1,4}\s?[+-]?[\d.,]*\d|[+-]?\d[\d.,]*\s?[^\d\s.,+-]{1,4}")
"""An amount with a sign or the code of its currency."""
_CODE = re.compile(r"[A-Za-z]{3}")


@dataclass(frozen=True)
class Lines:
    """Lines of a sample.

    Attributes:
        table: A row for each line, with the values of its columns.
        days: The day of each line's file; None where files have no day.
        form: How numbers are written, if the files are CSV.
    """

    table: pd.DataFrame
    days: "pd.Series[Any]"
    form: Csv

    def numbers(self, path: str) -> "pd.Series[float]":
        """Return the numbers of a column; NaN where a value is no number, or without the column."""
        if path not in self.table:
            return pd.Series(float("nan"), index=self.table.index)
        texts = self.table[path].astype("string")
        if self.form.thousands:
            texts = texts.str.replace(self.form.thousands, "", regex=False)
        if self.form.decimal != ".":
            texts = texts.str.replace(self.form.decimal, ".", regex=False)
        return pd.to_numeric(texts, errors="coerce").astype(float)

    def tables(self) -> list[pd.DataFrame]:
        """Return the lines of each kind of files."""
        return [self.table]

    def coverage(self, path: str) -> float:
        """Return the share of lines with a value in a column."""
        return float(self.table[path].notna().mean()) if len(self.table) else 0.0


@dataclass(frozen=True)
class JoinedLines(Lines):
    """Lines of files of several kinds.

    Attributes:
        parts: The lines of each kind, with their own form.
    """

    parts: tuple[Lines, ...]

    def numbers(self, path: str) -> "pd.Series[float]":
        """See `Lines`."""
        return pd.concat([part.numbers(path) for part in self.parts], ignore_index=True)

    def tables(self) -> list[pd.DataFrame]:
        """See `Lines`."""
        return [part.table for part in self.parts]


def last_name(path: str) -> str:
    """The last name or key of a path, in lower case, with letters and digits alone."""
    steps = [step for step in parse_path(path) if not isinstance(step, JsonText)]
    match steps:
        case [*_, Member(name="user" | "player" | "customer" | "account"), Member(name="id")]:
            return "userid"
        case [*_, Member(name=name) | Entry(key=name)]:
            return re.sub("[^a-z0-9]", "", without_accents(name).lower())
    return ""


def guess_fields(lines: Lines, export: KnownExport | None, given: Mapping[str, Any]) -> list[Guess]:
    """Guess the keys of `fields`: those given, those of a recognized export, and by their values.

    Args:
        lines: The sample.
        export: The export that the lines are recognized as.
        given: Fields that somebody has named, by key.
    """
    guesses: dict[str, Guess] = {}
    for key, find in _FINDERS.items():
        if given.get(key):
            value = _divide(given[key]) if key == "amount" else given[key]
            evidence = "as you said"
        elif export and (value := _present(export.fields.get(key), lines)):
            evidence = f"as in exports of {export.name}"
        elif value := find(lines, guesses):
            evidence = ""
        else:
            continue
        guesses[key] = Guess(f"fields.{key}", value, _describe(value, evidence, lines))
    return list(guesses.values())


def _present(value: Any, lines: Lines) -> Any:
    """The fields of an export that the lines have; None without any."""
    if isinstance(value, dict):
        return value
    paths = [value] if isinstance(value, str) else value or []
    match [path for path in paths if path in lines.table]:
        case []:
            return None
        case [path]:
            return path
        case several:
            return several


def _describe(value: Any, evidence: str, lines: Lines) -> str:
    parts = [evidence] if evidence else []
    for path in paths_in(value):
        if path in lines.table:
            values = lines.table[path].dropna().drop_duplicates().head(3)
            parts.append(f"{path} in {lines.coverage(path):.1%} of lines: {show_values(values)}")
    if isinstance(value, dict) and "divided_by" in value:
        parts.append("in the unit that its name says")
    return "; ".join(parts) or "no field with a type: every line is of one type"


def _named(names: Iterable[str], lines: Lines) -> Iterator[str]:
    """Yield the columns with one of some names: by the order of the names, then the outermost."""
    by_name: dict[str, list[str]] = {}
    for path in lines.table.columns:
        by_name.setdefault(last_name(path), []).append(path)
    for name in names:
        yield from sorted(by_name.get(name, ()), key=lambda path: len(parse_path(path)))


def _find_user(lines: Lines, _: Mapping[str, Guess]) -> Any:
    users = [path for path in _named(_USER, lines) if _is_user(path, lines)]
    anonymous = [path for path in _named(_ANONYMOUS, lines) if _is_user(path, lines)]
    if not users:
        return max(anonymous, key=lines.coverage, default=None) or _find_repeated(lines)
    user = max(users[:3], key=lambda path: round(lines.coverage(path), 1))
    if lines.coverage(user) < 1 and anonymous:
        return [user, max(anonymous, key=lines.coverage)]
    return user


def _is_user(path: str, lines: Lines) -> bool:
    values = lines.table[path].dropna()
    if values.empty or not all(type(it) in {str, int, float} for it in values.head(100)):
        return False
    return len(values) == 1 or bool((values != values.iloc[0]).any())


def is_named_user(value: Any) -> bool:
    """Whether a field has the user by its name, and not only by its values."""
    return any(last_name(path) in {*_USER, *_ANONYMOUS} for path in paths_in(value))


def _find_repeated(lines: Lines) -> str | None:
    """The column that looks most like an id of users: many values, each in several lines."""

    def different(path: str) -> int:
        return int(lines.table[path].nunique())

    def is_id(path: str) -> bool:
        values = lines.table[path].dropna()
        texts = values.head(200).astype(str)
        return (
            lines.coverage(path) > _UNIQUE
            and 1.2 * different(path) < len(values)
            and different(path) > 0.01 * len(values)
            and not any(isinstance(it, float | bool) for it in values.head(200))
            and not texts.str.contains(r"[\s:/]").any()
        )

    others = [path for path in lines.table.columns if last_name(path) not in _TYPE]
    candidates = [path for path in others if is_id(path)]
    return max(candidates, key=different, default=None)


def _find_time(lines: Lines, _: Mapping[str, Guess]) -> str | None:
    named = [*_named(_TIME, lines)]
    others = [it for it in lines.table.columns if it not in named]
    unlikely = [it for it in others if any(part in last_name(it) for part in _NO_TIME)]
    for paths in (named, [it for it in others if it not in unlikely], unlikely):
        fitting = {path: times for path in paths if (times := _times(path, lines)) is not None}
        if fitting:
            return min(fitting, key=lambda path: _rank(path, fitting[path], lines))
    return None


def _times(path: str, lines: Lines) -> TimeFormat | None:
    """The times of a column that nearly all lines have."""
    if lines.coverage(path) < 0.9:  # noqa: PLR2004
        return None
    return find_time_format(lines.table[path], lines.days)


def _rank(path: str, times: TimeFormat, lines: Lines) -> tuple[bool, bool, int]:
    """Times near the day of their file, with a time of the day, by the order of their names."""
    distances = distances_in_days(times.instants, lines.days)
    is_near = distances.empty or distances.abs().median() < 2  # noqa: PLR2004  (days)
    instants = times.instants.dropna()
    has_clock = bool((instants != instants.dt.normalize()).any())
    name = last_name(path)
    return (not is_near, not has_clock, _TIME.index(name) if name in _TIME else len(_TIME))


def _find_type(lines: Lines, guesses: Mapping[str, Guess]) -> str | Mapping[str, str]:
    taken = _taken(guesses)
    for path in _named(_TYPE, lines):
        if path not in taken and _is_type(path, lines):
            return path
    if _is_always_paid(lines, guesses):
        return {"constant": "purchase"}
    return _find_varying(lines, guesses) or {"constant": "session"}


def _find_varying(lines: Lines, guesses: Mapping[str, Guess]) -> str | None:
    """The column that looks most like a type: few texts, of which a user has several."""
    if "user_id" not in guesses:
        return None
    users = read_values(guesses["user_id"].value, lines)
    taken = _taken(guesses)
    shares = {
        path: float(lines.table[path].groupby(users).nunique().gt(1).mean())
        for path in lines.table.columns
        if path not in taken and _is_type(path, lines, _FEW_TYPES)
    }
    best = max(shares, key=lambda path: shares[path], default=None)
    return best if best and shares[best] >= 0.5 else None  # noqa: PLR2004


def _is_always_paid(lines: Lines, guesses: Mapping[str, Guess]) -> bool:
    amount = _find_amount(lines, guesses)
    return amount is not None and bool(
        (lines.numbers(_first_path(amount)).fillna(0) != 0).mean() >= 0.9  # noqa: PLR2004
    )


def _is_type(path: str, lines: Lines, limit: int = _MAX_TYPES) -> bool:
    values = lines.table[path].dropna()
    different = values.nunique()
    return (
        lines.coverage(path) >= 0.9  # noqa: PLR2004
        and all(isinstance(it, str) for it in values.head(100))
        and different <= min(limit, max(1, len(values) // 3))
        and not values.str.fullmatch(r"[\d.:\s-]*|(?i:true|false)").all()
    )


def _find_event_id(lines: Lines, guesses: Mapping[str, Guess]) -> str | None:
    taken = _taken(guesses)
    for path in _named(_EVENT_ID, lines):
        values = lines.table[path].dropna()
        is_usual = path not in taken and lines.coverage(path) > _UNIQUE and len(values) > 1
        if is_usual and values.astype(str).nunique() >= _UNIQUE * len(values):
            return path
    return None


def _taken(guesses: Mapping[str, Guess]) -> set[str]:
    return {path for guess in guesses.values() for path in paths_in(guess.value)}


def paths_in(value: Any) -> list[str]:
    """The paths in a guessed field."""
    match value:
        case str():
            return [value]
        case {"constant": _} | None:
            return []
        case {"joined": paths} | {"product": paths}:
            return [*paths]
        case {"field": field}:
            return paths_in(field)
    return [*value]


def _find_amount(lines: Lines, guesses: Mapping[str, Guess]) -> Any:
    taken = _taken(guesses)
    named = [
        *_named((f"{name}usd" for name in _AMOUNT), lines),
        *_named(_AMOUNT, lines),
        *(path for path in lines.table.columns if _divisor(path)),
        *(it for it in _abbreviated(_MONEY, lines) if not _is_beginning(it)),
    ]
    amounts = [it for it in named if it not in taken and _is_amount(it, lines)]
    quantities = [it for it in _named(_QUANTITY, lines) if it not in taken]
    return _divide(amounts[0], quantities[:1]) if amounts else None


def _divide(path: str, quantities: Sequence[str] = ()) -> Any:
    """An amount in units, with the quantity if there is one and the amount is a price of each."""
    match = _DIVIDED.fullmatch(last_name(path))
    name = match["amount"] if match else last_name(path)
    is_each = quantities and name.removesuffix("usd") in _UNIT_PRICE
    amount: Any = {"product": [*quantities, path]} if is_each else path
    divisor = _divisor(path)
    return {"field": amount, "divided_by": divisor} if divisor else amount


def _divisor(path: str) -> int | None:
    """By what an amount is divided, if its name says so."""
    match = _DIVIDED.fullmatch(last_name(path))
    if not match or match["amount"].removesuffix("usd") not in {*_AMOUNT, ""}:
        return None
    return 1_000_000 if match["micros"] else 100


def _is_beginning(path: str) -> bool:
    """Whether a name is the beginning of a word of money, and perhaps of others, as `pri`."""
    return any(word.startswith(last_name(path)) for word in _MONEY)


def _abbreviated(words: Sequence[str], lines: Lines) -> Iterator[str]:
    for word in words:
        yield from (it for it in lines.table.columns if is_abbreviation(last_name(it), word))


def _is_amount(path: str, lines: Lines) -> bool:
    """Whether the values of a column may be what is paid: numbers, some above 0."""
    values = lines.table[path].dropna()
    numbers = lines.numbers(path).dropna()
    return (
        not _VIRTUAL.search(path.lower())
        and not any(isinstance(it, bool) for it in values.head(100))
        and len(numbers) >= 0.9 * len(values)
        and bool((numbers > 0).any())
    )


def find_coded_amounts(lines: Lines) -> list[str]:
    """Find columns of amounts that are no numbers, as they have signs of a currency."""
    return [
        path
        for path in _named(_AMOUNT, lines)
        if len(values := lines.table[path].dropna().astype(str)) > 0
        and values.str.fullmatch(_CODED_AMOUNT).all()
    ]


def _find_currency(lines: Lines, guesses: Mapping[str, Guess]) -> str | None:
    amount = guesses.get("amount")
    if amount is None or "usd" in last_name(_first_path(amount.value)):
        return None
    ending = [it for it in lines.table.columns if _ENDS_IN_CURRENCY.fullmatch(last_name(it))]
    for path in (*_named(_CURRENCY, lines), *ending, *_abbreviated(("currency",), lines)):
        values = lines.table[path].dropna()
        if _VIRTUAL.search(last_name(path)):
            continue
        if len(values) and all(_CODE.fullmatch(str(it)) for it in values.head(1_000)):
            return path
    return None


def _first_path(value: Any) -> str:
    paths = paths_in(value)
    return paths[-1] if isinstance(value, dict) else paths[0]


_Finder = Callable[[Lines, Mapping[str, Guess]], Any]
_FINDERS: Mapping[str, _Finder] = {
    "user_id": _find_user,
    "event_time": _find_time,
    "event_type": _find_type,
    "event_id": _find_event_id,
    "amount": _find_amount,
    "currency": _find_currency,
}


def read_values(value: Any, lines: Lines) -> "pd.Series[Any]":
    """The texts of a guessed field: of the first path with a value, joined, or constant."""
    table = lines.table
    match value:
        case str():
            return table[value] if value in table else _nothing(lines)
        case {"constant": text}:
            return pd.Series([text] * len(table), index=table.index, dtype=object)
        case {"joined": paths}:
            parts = table.reindex(columns=paths)
            return parts.apply(lambda row: ":".join(str(it) for it in row if pd.notna(it)), axis=1)
        case [first, *others]:
            values = read_values(first, lines)
            return values.where(values.notna(), read_values(others, lines)) if others else values
    return _nothing(lines)


def read_numbers(value: Any, lines: Lines) -> "pd.Series[float]":
    """The numbers of a guessed field; NaN where there is none."""
    match value:
        case str():
            return lines.numbers(value)
        case {"product": [left, right]}:
            return lines.numbers(left) * lines.numbers(right)
        case {"field": field, "divided_by": divisor}:
            return read_numbers(field, lines).div(float(divisor))
        case [first, *others]:
            numbers = lines.numbers(first)
            return numbers.fillna(read_numbers(others, lines)) if others else numbers
    return _nothing(lines).astype(float)


def _nothing(lines: Lines) -> "pd.Series[Any]":
    return pd.Series([None] * len(lines.table), index=lines.table.index, dtype=object)
