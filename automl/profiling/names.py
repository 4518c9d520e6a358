"""What a column's name hints at: identifiers, codes, classes, amounts. A hint never decides alone."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_IDENTIFIER_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "key", "pid", "rowid", "index", "idx", "serial", "sku", "isbn", "ssn"}
)
_IDENTIFIER_ENDINGS = frozenset({"no", "nr", "num", "number", "hash", "token"})
_NOT_AN_ID = ("paid", "bid", "acid", "humid", "solid", "fluid", "mid", "avoid", "grid", "valid", "void", "lipid", "android")
_POSTAL_WORDS = frozenset({"zip", "zipcode", "postcode", "postal", "plz"})
_CLASS_WORDS = frozenset(
    {"class", "classes", "label", "labels", "target", "type", "category", "species", "cluster", "method", "status", "diagnosis"}
    | {"outcome", "kind", "segment", "digit", "fault", "group", "response", "y"}
)
_AMOUNT_WORDS = frozenset(
    {"quality", "rating", "score", "grade", "count", "counts", "cnt", "age", "rings", "stars", "number", "num", "amount", "price"}
    | {"cost", "rank", "total", "sum", "quantity", "qty", "days", "hours", "minutes", "seconds", "years", "value", "rate", "size"}
    | {"points", "level", "sales", "demand", "duration", "income", "salary"}
)
_SENSITIVE_WORDS = frozenset(
    {"sex", "gender", "race", "ethnicity", "ethnic", "religion", "religious", "nationality", "citizenship", "disability"}
    | {"disabled", "pregnant", "pregnancy", "birthplace"}
)
_SENSITIVE_PAIRS = (
    {"native", "country"}, {"country", "birth"}, {"place", "birth"}, {"foreign", "worker"}, {"personal", "status"},
    {"marital", "status"}, {"senior", "citizen"}, {"sexual", "orientation"}, {"skin", "color"}, {"skin", "colour"},
)  # fmt: skip
_AGE_COMPANIONS = frozenset({"age", "group", "band", "range", "cat", "category", "years", "year", "in"})
_ENTITY_WORDS = frozenset(
    {
        "patient",
        "subject",
        "customer",
        "client",
        "user",
        "person",
        "household",
        "device",
        "machine",
        "session",
        "store",
        "account",
    }
    | {"member", "student", "driver", "player", "sensor", "participant", "respondent", "vehicle", "company", "author", "speaker"}
)
TARGET_NAMES = ("target", "label", "labels", "class", "y", "outcome", "response")


def words(name: str) -> tuple[str, ...]:
    """The words of a column's name in lower case: "customerID" -> ("customer", "id")."""
    return tuple(word.casefold() for word in _WORD.findall(name))


def hints_identifier(name: str) -> bool:
    parts = words(name)
    if not parts:
        return False
    if _IDENTIFIER_WORDS & set(parts) or parts[-1] in _IDENTIFIER_ENDINGS:
        return True
    return len(parts[-1]) > 2 and parts[-1].endswith("id") and not parts[-1].endswith(_NOT_AN_ID)


def hints_postal_code(name: str) -> bool:
    return bool(_POSTAL_WORDS & set(words(name)))


def hints_year(name: str) -> bool:
    return bool({"year", "yr", "years"} & set(words(name)))


def hints_class(name: str) -> bool:
    return bool(_CLASS_WORDS & set(words(name)))


def hints_amount(name: str) -> bool:
    return bool(_AMOUNT_WORDS & set(words(name)))


def hints_sensitive(name: str) -> bool:
    """A trait of a person that people are not to be treated by: sex, origin, belief, disability, age, family."""
    parts = set(words(name))
    if parts & _SENSITIVE_WORDS or any(pair <= parts for pair in _SENSITIVE_PAIRS) or parts == {"marital"}:
        return True
    return "age" in parts and parts <= _AGE_COMPANIONS


def hints_entity(name: str) -> bool:
    """A name that stands for one of many things, each of which may have several rows."""
    parts = words(name)
    return bool(parts) and (parts[-1] in _ENTITY_WORDS or (len(parts) > 1 and parts[0] in _ENTITY_WORDS and parts[-1] == "name"))
