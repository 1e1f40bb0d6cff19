"""Loaded by schemathesis (test_openapi.py): nothing may end the credential that it asks with, or the rest would only ever hear 401."""

import os

import schemathesis

OWN_ID, OWN_PREFIX = os.environ["OWN_KEY_ID"], os.environ["OWN_KEY_PREFIX"]


@schemathesis.serializer("application/hujson")
def hujson(context, value):
    """A policy's text as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path in ("/api/v1/apikey/{prefix}", "/api/fleetscale/v1/keys/{id}"):
        for name, value in (case.path_parameters or {}).items():
            if OWN_PREFIX in str(value) or str(value) == OWN_ID:
                case.path_parameters[name] = "999999"
    if case.path == "/api/v1/apikey/expire" and isinstance(case.body, dict):
        if str(case.body.get("id")) == OWN_ID:
            case.body["id"] = "999999"
        if OWN_PREFIX in str(case.body.get("prefix")):
            case.body["prefix"] = "999999"
