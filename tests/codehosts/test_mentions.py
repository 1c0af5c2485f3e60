"""The pull request that a commit names, in the forms that the hosts write."""

from __future__ import annotations

import pytest

from blametrail.codehosts.mentions import pull_request_of


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Merge pull request #12 from acme/fix-retry\n\nRetry once more", 12),
        ("Retry payments (#345)", 345),
        ("Retry payments (#345)  \n\n* one\n* two (#9)", 345),
        ('Revert "Retry payments (#345)" (#346)', 346),
        ("Merge branch 'fix' into 'main'\n\nRetry\n\nSee merge request acme/shop!78", 78),
        ("Merge branch 'fix' into 'main'\n\nSee merge request group/sub/shop!78\n", 78),
        ("Merge branch 'a'\n\nSee merge request acme/shop!1\n\nSee merge request acme/shop!2", 2),
        ("Squash\n\nSee merge request !5", 5),
        ("Fix #12", None),
        ("Fix (#12) and more", None),
        ("Fix the thing\n\nCloses (#12)", None),
        ('Revert "Retry payments (#345)"', None),
        ("I said: Merge pull request #12 from acme/x", None),
        ("Text\n\nas in See merge request acme/shop!78 but not so", None),
        ("(#12345678901)", None),
        ("", None),
    ],
)
def test_it_reads_what_hosts_write(message: str, number: int | None) -> None:
    assert pull_request_of(message) == number
