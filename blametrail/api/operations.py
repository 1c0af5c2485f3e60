"""What an address takes and answers, told once: for its route, for the OpenAPI document and for the page of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Door = Literal["open", "api token", "deploy token", "alert token", "github signature", "gitlab signature"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something in an address or a header; `schema` is JSON Schema, which the reader of the parameter follows too."""

    name: str
    about: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "maxLength": 255})
    place: Literal["query", "path", "header"] = "query"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: `model` is a type that pydantic can describe, or a JSON Schema; `example` is sent as it is."""

    model: Any
    example: str
    largest: int
    type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One public address. `example` has the values of the parameters in its example; `refusals` are the answers that are
    errors, by status."""

    method: Literal["get", "post"]
    path: str
    id: str
    about: str
    door: Door
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    example: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()

    @property
    def summary(self) -> str:
        return self.about.partition("\n")[0].strip()

    @property
    def description(self) -> str:
        """What the first line does not say, in paragraphs."""
        paragraphs = self.about.partition("\n")[2].split("\n\n")
        return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())
