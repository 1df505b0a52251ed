"""What the schema cannot say, and a caller has to know.

Each hook is as narrow as it can be, and none hides an answer from the checks: they only change what
is sent. Schemathesis judges a case anew after a hook has changed it.
"""

import os
import re
import secrets
import time
import uuid

import jsonschema_rs
import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

URL = os.environ["CONFORMANCE_URL"]
BEARER = f"Bearer {os.environ['CONFORMANCE_KEY']}"
TYPE_ID = re.compile(r"([a-z_]+)_[0-7][0-9a-hjkmnp-tv-z]{25}")
# The phases that make ids up; the others take them from answers.
MADE_UP_PHASES = ("examples", "coverage")


@schemathesis.hook
def before_call(context, case, kwargs):
    phase = case.meta.phase.name.value.lower() if case.meta else ""
    _without_made_up_cursor(case)
    _without_long_wait(case)
    _with_fresh_idempotency_key(case)
    if phase in MADE_UP_PHASES:
        _without_made_up_version(case)
        _replace(case, _alive)
    if case.method.upper() not in ("GET", "HEAD", "OPTIONS"):
        _replace(case, _spared)


@schemathesis.hook
def after_call(context, case, response):
    # What was alive may be gone.
    if case.method.upper() == "DELETE" or response.status_code == 404:
        ALIVE.clear()


# ── Headers and cursors ──


def _without_made_up_cursor(case):
    """A cursor is sealed by the server and tied to its query, so any other text is refused with 422,
    rightly, although the schema can only say that it is text. One that the schema refuses stays."""
    if "cursor" in case.query and _fits(case.operation.query, "cursor", case.query["cursor"]):
        del case.query["cursor"]


def _without_long_wait(case):
    """Who asks a log to wait for 30 seconds waits longer than the run does for an answer. One that
    the schema refuses stays."""
    wait_s = str(case.query.get("wait_s", ""))
    if wait_s.isdecimal() and 1 < int(wait_s) <= 30:
        case.query["wait_s"] = 1


def _with_fresh_idempotency_key(case):
    """The same key with another body is refused with 422, rightly, and small texts come twice. One
    that the schema refuses stays."""
    if _may_change(case, "Idempotency-Key"):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


def _without_made_up_version(case):
    """A made-up version is stale: with one in every case, no case would ever change anything. One
    that the schema refuses stays."""
    if _may_change(case, "If-Match"):
        del case.headers["If-Match"]


def _may_change(case, name) -> bool:
    """Whether a header is there and good, in a case that is not about headers: touching those of a
    case that leaves `Authorization` out would put it back."""
    headers = case.meta and case.meta.components.get(ParameterLocation.HEADER)
    if name not in case.headers or (headers and headers.mode.is_negative):
        return False
    return _fits(case.operation.headers, name, case.headers[name])


def _fits(parameters, name, value) -> bool:
    """Whether the schema lets this value of a parameter in."""
    for parameter in parameters:
        if parameter.name.lower() == name.lower():
            return jsonschema_rs.validator_for(parameter.validation_schema).is_valid(value)
    return False


# ── Ids ──


def _replace(case, by):
    """Replaces ids in the path and in the body."""
    for part in ("path_parameters", "body"):
        before = getattr(case, part)
        after = _deep(before, lambda text: by(case, text))
        if after != before:
            setattr(case, part, after)


def _deep(value, change):
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _deep(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_deep(inner, change) for inner in value]
    return value


ALIVE = {}


def _alive(case, text):
    """The id of something that is there, for a well-formed id that is made up: otherwise most of
    what these phases send would end in a 404, and the answers behind it would never be seen."""
    made_up = TYPE_ID.fullmatch(text)
    if not made_up:
        return text
    if not ALIVE:
        ALIVE.update(_look_around(case.operation.schema.raw_schema["paths"]))
    return ALIVE.get(made_up[1], text)


def _look_around(paths):
    """An id of each kind there is: of what is listed first, but never of a key in use."""
    found = {"": ""}
    for path in paths:
        if f"{path}/{{id}}" in paths and _is_list(paths[path].get("get", {})):
            ids = [item["id"] for item in _list(path, 10) if "id" in item]
            for prefix, key in ((TYPE_ID.fullmatch(key)[1], key) for key in ids):
                if key not in KEYS_IN_USE:
                    found.setdefault(prefix, key)
    return found


def _is_list(operation) -> bool:
    return any(one.get("$ref", "").endswith("/limit") for one in operation.get("parameters", []))


def _spared(case, text):
    """Lists give away the ids of the keys, and revoking the run's own would end it."""
    for key in KEYS_IN_USE:
        text = text.replace(key, _unknown_key())
    return text


def _unknown_key() -> str:
    """The well-formed id (a TypeID: a UUIDv7 in base32) of a key that is not there."""
    number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | 2 << 62
    number |= secrets.randbits(12) << 64 | secrets.randbits(62)
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return "key_" + "".join(alphabet[number >> shift & 31] for shift in range(125, -1, -5))


def _list(path, limit):
    answer = requests.get(
        URL + path, params={"limit": limit}, headers={"Authorization": BEARER}, timeout=10
    )
    answer.raise_for_status()
    return answer.json()["data"]


# The keys made before the run: the run's own is one of them.
KEYS_IN_USE = frozenset(key["id"] for key in _list("/v1/api_keys", 100))


# ── Checks of ours ──


@schemathesis.check
def key_is_alive(ctx, response, case):
    """The run's own key is never refused: otherwise most of the checks would pass on 401 alone."""
    sent = response.request.headers.get("Authorization")
    if response.status_code == 401 and sent == BEARER:
        raise AssertionError("The key of this run was refused")


@schemathesis.check
def limits_are_out_of_the_way(ctx, response, case):
    """The run's own key is never limited: otherwise most of the checks would pass on 429 alone."""
    if response.status_code == 429:
        raise AssertionError("The key of this run ran into its limits; it needs the largest plan")
