"""Which pull request a commit came by: its own word first, then the innermost merge that brought it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blametrail.codehosts.facts import CommitFact, FileFact, FileStatus
from blametrail.deploys.enrichment.gather import undone
from blametrail.deploys.enrichment.origins import origins


def commit(sha: str, message: str, *parents: str) -> CommitFact:
    return CommitFact(sha, message, "Ada", "ada", None, None, parents, "")


def merge(sha: str, number: int, first: str, second: str) -> CommitFact:
    return commit(sha, f"Merge pull request #{number} from acme/work", first, second)


def test_a_squash_names_its_own() -> None:
    assert origins([commit("a", "Ask for more at once (#7)", "base")]) == {"a": 7}


def test_a_merge_speaks_for_what_it_brought() -> None:
    history = [commit("main1", "On main", "base"), commit("w1", "Work", "base"), commit("w2", "More", "w1")]
    assert origins([*history, merge("m", 9, "main1", "w2")]) == {"m": 9, "w1": 9, "w2": 9}


def test_a_merge_of_main_into_the_work_is_not_the_work() -> None:
    history = [commit("main1", "On main", "base"), commit("w1", "Work", "base"), commit("sync", "Merge main", "w1", "main1")]
    assert origins([*history, merge("m", 9, "main1", "sync")]) == {"m": 9, "w1": 9, "sync": 9}


def test_the_inner_merge_is_closer() -> None:
    history = [commit("w", "Work", "base"), merge("inner", 3, "dev", "w")]
    assert origins([*history, merge("outer", 4, "base", "inner")]) == {"w": 3, "inner": 3, "outer": 4}


def test_its_own_word_is_believed_over_the_merge_that_holds_it() -> None:
    assert origins([commit("w", "Work (#3)", "base"), merge("m", 4, "base", "w")]) == {"w": 3, "m": 4}


def test_a_commit_that_nobody_names_has_none() -> None:
    assert origins([commit("a", "Straight to main", "base"), commit("b", "Merge branch 'x'", "a", "c")]) == {}


@given(st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=3), st.booleans()), max_size=30))
def test_it_answers_for_any_history(shape: list[tuple[list[int], bool]]) -> None:
    """Parents that are not known, circles that no history has, the same parent twice: only commits of it are answered for."""
    history = [
        commit(str(n), f"Merge pull request #{n} from a/b" if is_merge else "Work", *map(str, parents))
        for n, (parents, is_merge) in enumerate(shape)
    ]
    found = origins(history)
    assert found.keys() <= {c.sha for c in history}
    assert all(found[c.sha] == int(c.sha) for c in history if c.message.startswith("Merge"))


LINES = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85"), max_size=12)


@given(st.lists(st.tuples(st.sampled_from("+- \\"), LINES), max_size=12), st.sampled_from(list(FileStatus)))
def test_undoing_twice_is_the_change_itself(lines: list[tuple[str, str]], status: FileStatus) -> None:
    patch = "\n".join(["@@ -1,3 +1,4 @@ def pool", *(sign + rest for sign, rest in lines)])
    old = "old.py" if status == FileStatus.RENAMED else ""
    file = FileFact("new.py", status, 3, 4, old, patch)
    once = undone(file)
    assert (once.added, once.removed) == (4, 3) and undone(once) == file
