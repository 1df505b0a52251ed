"""What the schema cannot say, and a caller has to know.

Each hook is as narrow as it can be, and none hides an answer from the checks: they only change what
is sent. Schemathesis judges a case anew after a hook has changed it.
"""

import os
import secrets
import time
import uuid

import jsonschema_rs
import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

BEARER = f"Bearer {os.environ['CONFORMANCE_KEY']}"


def _keys_in_use() -> frozenset[str]:
    """The ids of the keys made before the run: the run's own is one of them."""
    answer = requests.get(
        f"{os.environ['CONFORMANCE_URL']}/v1/api_keys",
        params={"limit": 100},
        headers={"Authorization": BEARER},
        timeout=10,
    )
    answer.raise_for_status()
    return frozenset(key["id"] for key in answer.json()["data"])


KEYS_IN_USE = _keys_in_use()


@schemathesis.hook
def before_call(context, case, kwargs):
    _without_made_up_cursor(case)
    _with_fresh_idempotency_key(case)
    if case.method.upper() not in ("GET", "HEAD", "OPTIONS"):
        _without_keys_in_use(case)


def _without_made_up_cursor(case):
    """A cursor is sealed by the server and tied to its query, so any other text is refused with 422,
    rightly, although the schema can only say that it is text. One that the schema refuses stays."""
    if "cursor" in case.query and _fits(case.operation.query, "cursor", case.query["cursor"]):
        del case.query["cursor"]


def _with_fresh_idempotency_key(case):
    """The same key with another body is refused with 422, rightly, and small texts come twice. A key
    that the schema refuses stays, and so does a case about a header: touching the headers of one
    that leaves `Authorization` out would put it back."""
    headers = case.meta and case.meta.components.get(ParameterLocation.HEADER)
    if headers is not None and headers.mode.is_negative:
        return
    key = case.headers.get("Idempotency-Key")
    if key is not None and _fits(case.operation.headers, "Idempotency-Key", key):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


def _without_keys_in_use(case):
    """Lists give away the ids of the keys, and revoking the run's own would end it."""
    for part in ("path_parameters", "body"):
        spared = _spared(getattr(case, part))
        if spared != getattr(case, part):
            setattr(case, part, spared)


def _spared(value):
    if isinstance(value, str):
        for key in KEYS_IN_USE:
            value = value.replace(key, _unknown_key())
    elif isinstance(value, dict):
        return {_spared(name): _spared(inner) for name, inner in value.items()}
    elif isinstance(value, list):
        return [_spared(inner) for inner in value]
    return value


def _unknown_key() -> str:
    """The well-formed id (a TypeID: a UUIDv7 in base32) of a key that is not there."""
    number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | 2 << 62
    number |= secrets.randbits(12) << 64 | secrets.randbits(62)
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return "key_" + "".join(alphabet[number >> shift & 31] for shift in range(125, -1, -5))


def _fits(parameters, name, value) -> bool:
    """Whether the schema lets this value of a parameter in."""
    for parameter in parameters:
        if parameter.name.lower() == name.lower():
            return jsonschema_rs.validator_for(parameter.validation_schema).is_valid(value)
    return False


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
