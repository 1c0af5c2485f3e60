"""Which service an alert is about."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from blametrail.incidents.alerts.routing import Directory, KnownService, Mapped, place_of, read_labels, written

SHOP, WEB = KnownService(uuid4(), "Shop", "production"), KnownService(uuid4(), "web", "staging")


def directory(*mappings: Mapped) -> Directory:
    return Directory({"shop": SHOP, "web": WEB}, mappings, {SHOP.id: SHOP, WEB.id: WEB})


@pytest.mark.parametrize(
    ("labels", "own", "mappings", "name"),
    [
        ({"service": "web"}, SHOP.id, (), "Shop"),
        ({"service": "SHOP "}, None, (), "Shop"),
        ({"job": "web"}, None, (), "web"),
        ({"service": "unknown", "app": "web"}, None, (), "web"),
        ({"service": "shop", "team": "a"}, None, (Mapped({"team": "a"}, WEB.id),), "Shop"),
        ({"team": "a", "job": "api-7"}, None, (Mapped({"team": "a", "job": "api-*"}, WEB.id),), "web"),
        ({"team": "a"}, None, (Mapped({"team": "a", "job": "*-api"}, WEB.id),), None),
        ({"team": "a"}, None, (Mapped({}, WEB.id),), None),
        ({"team": "a"}, None, (Mapped({"team": "a"}, SHOP.id), Mapped({"team": "*"}, WEB.id)), "Shop"),
        ({}, uuid4(), (), None),
    ],
)
def test_it_asks_the_source_then_labels_then_mappings(
    labels: dict[str, str], own: UUID | None, mappings: tuple[Mapped, ...], name: str | None
) -> None:
    place = place_of(labels, directory(*mappings), own)
    assert (place.service.name if place.service else None) == name and place.why


@pytest.mark.parametrize(
    ("labels", "given", "mapped", "expected"),
    [
        ({"service": "shop"}, "", "", "production"),
        ({"service": "shop", "env": "staging"}, "", "", "staging"),
        ({"service": "shop", "env": "staging"}, "development", "", "development"),
        ({"team": "a", "env": "staging"}, "", "development", "development"),
        ({"team": "a"}, "", "", "production"),
    ],
)
def test_it_finds_the_environment(labels: dict[str, str], given: str, mapped: str, expected: str) -> None:
    assert place_of(labels, directory(Mapped({"team": "a"}, SHOP.id, mapped)), None, given).environment == expected


def test_it_reads_labels_as_people_and_prometheus_write_them() -> None:
    read = {"team": "a b", "job": "api-*"}
    for text in ("team=a b, job=api-*", "team = a b\njob=api-*", '{team="a b",job="api-*"}'):
        assert read_labels(text) == read
    assert read_labels(written(read)) == read and read_labels("") == {}
    for wrong in ("team", "=a", "team=" + "x" * 201):
        with pytest.raises(ValueError, match="labels such as"):
            read_labels(wrong)
