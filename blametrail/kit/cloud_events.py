"""CloudEvents 1.0 over HTTP, in structured and in binary mode: the envelope, whatever is in it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from blametrail.kit.bodies import OptionalText, Text, Time, checked, read_object
from blametrail.kit.errors import Invalid

STRUCTURED = "application/cloudevents+json"
VERSION = "1.0"

Needed = Annotated[Text, Field(min_length=1, max_length=2_048)]


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An event; source and id together name it among all others."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime | None
    data: dict[str, Any]


class _Attributes(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    specversion: Needed
    id: Needed
    source: Needed
    type: Needed
    subject: OptionalText = ""
    time: Time = None


def read_cloud_event(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """The event of a request; raises Invalid naming what is wrong, an attribute that came as a header by the header's name."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        content = read_object(body)
        return _event(content, _data(content), "")
    if _is_json(kind) or (not kind and "ce-id" in headers):  # the SDKs name no type unless they are told to
        return _event({n: _unescaped(headers[f"ce-{n}"]) for n in _names(headers)}, read_object(body), "ce-")
    raise Invalid({"Content-Type": f"must be {STRUCTURED}, or application/json beside ce- headers"})


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json") and "batch" not in kind)


def _event(attributes: Mapping[str, Any], data: dict[str, Any], prefix: str) -> CloudEvent:
    try:
        found = checked(_Attributes, attributes)
        if found.specversion != VERSION:
            raise Invalid({"specversion": f"must be {VERSION}"})
    except Invalid as error:
        raise Invalid({prefix + name: why for name, why in error.fields.items()}) from None
    return CloudEvent(found.id, found.source, found.type, found.subject, found.time, data)


def _data(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a structured event carries: an object, or one in base64."""
    data = content.get("data")
    if data is None and isinstance(encoded := content.get("data_base64"), str):
        try:
            return read_object(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise Invalid({"data_base64": "is not base64"}) from None
        except Invalid:
            raise Invalid({"data_base64": "must be a JSON object"}) from None
    if not isinstance(data, dict):
        raise Invalid({"data": "must be a JSON object"})
    return data


def _names(headers: Mapping[str, str]) -> list[str]:
    return [name for name in _Attributes.model_fields if f"ce-{name}" in headers]


def _unescaped(value: str) -> str:
    """Values of headers are UTF-8 with a percent before each byte that no header holds."""
    return unquote(value, errors="replace")
