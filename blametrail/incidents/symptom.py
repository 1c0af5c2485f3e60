"""Recognise what is in the text of a symptom: the exception, the frames of a stack trace, files and names in code.

Pure. Frames are those of Python, JavaScript, Java and its kin, Go, Ruby, PHP, C# and Rust, told apart by the form of
their lines, so that several may stand in one log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_FRAMES, MOST_NAMES, LONGEST_LINE, LONGEST_TEXT = 100, 40, 1_000, 100_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in code; `line` is 0 where none is said. `is_ours` is false for installed packages and the language itself."""

    path: str
    line: int
    function: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Recognised:
    """Frames are innermost first; `files` are the paths of our frames and those named elsewhere, each once."""

    exception: str = ""
    message: str = ""
    frames: tuple[Frame, ...] = ()
    files: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()


_FRAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("python", re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')),
    ("javascript", re.compile(r"^\s*at (?:async )?(?:(?P<function>[^()]+?) \()?(?P<path>(?:file://|node:|webpack[^ ]*/)?(?:[A-Za-z]:)?[^():\s]+\.[cm]?[jt]sx?):(?P<line>\d+)(?::\d+)?\)?\s*$")),
    ("java", re.compile(r"^\s*at (?P<function>[\w$.<>]+)\((?P<path>[\w$]+\.(?:java|kt|scala|groovy))(?::(?P<line>\d+))?\)")),
    ("csharp", re.compile(r"^\s*at (?P<function>[^\n(]+\([^)]*\)) in (?P<path>[^\n]+\.(?:cs|vb|fs)):line (?P<line>\d+)")),
    ("go", re.compile(r"^\s+(?P<path>(?:[A-Za-z]:)?[^\s:]+\.go):(?P<line>\d+)(?P<function>)(?: \+0x[0-9a-f]+)?\s*$")),
    ("ruby", re.compile(r"^\s*(?:from |\d+: from )?(?P<path>[^\s:]+\.(?:rb|erb|rake)):(?P<line>\d+)(?::in [`'](?P<function>[^`']+)')?")),
    ("php", re.compile(r"^\s*#\d+ (?P<path>[^\s(]+\.php)\((?P<line>\d+)\): (?P<function>[^\s(]+)")),
    ("rust", re.compile(r"^\s+at (?P<path>[^\s:]+\.rs):(?P<line>\d+)(?::\d+)?(?P<function>)\s*$")),
)  # fmt: skip
_INNERMOST_LAST = {"python"}

_LIBRARY = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|vendor|gems|\.cargo|rustc|usr/lib|usr/local/lib|usr/local/go)/"
    r"|^node:|^internal/|^<frozen|<anonymous>|/python\d\.\d+/|^/rustc/|/go/pkg/mod/"
)
_LIBRARY_JAVA = re.compile(r"^(?:java|javax|jdk|sun|kotlin|scala|org\.springframework|org\.apache|io\.netty)\.")

_EXCEPTION = re.compile(
    r"^(?:\w[\w .\-]*thread[^:]*: ?|Caused by: |Uncaught |Unhandled [\w ]*: ?|panic: |\[?ERROR\]?:? |Traceback: )?"
    r"(?P<type>(?:[A-Za-z_$][\w$]*(?:\.|::|\\))*[A-Z][\w$]*(?:Error|Exception|Warning|Failure|Fault|Timeout|Interrupt|Refused|Exit))"
    r"(?:: ?(?P<message>.*)| \((?P<ruby>.*)\))?\s*$"
)
_PANIC = re.compile(r"^(?:panic: |thread '[^']*' panicked at )(?P<message>.+)$")
_RUBY_ERROR = re.compile(r":in [`'][^`']+': (?P<message>.*) \((?P<type>[A-Z][\w:]*)\)\s*$")

_FILE = re.compile(
    r"(?<![\w./:-])((?:[\w@.-]+/)*[\w@-][\w@.-]*\.(?:py|[cm]?[jt]sx?|java|kt|scala|go|rb|php|cs|rs|c|cc|cpp|h|hpp|swift|sql|ya?ml|toml|tf|html|vue|ex|exs))\b"
)
_IDENTIFIER = re.compile(
    r"\b([a-z]+(?:_[a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b"
)
_QUOTED = re.compile(r"[\"'`“‘]([A-Za-z_][\w.\-]{2,60})[\"'`”’]")


def recognise(error_message: str = "", stack_trace: str = "", log_excerpt: str = "", endpoint: str = "") -> Recognised:
    """What stands in the texts of a symptom, each as it came; raises nothing, whatever they hold."""
    texts = [text[:LONGEST_TEXT] for text in (stack_trace, error_message, log_excerpt)]
    lines = [line[:LONGEST_LINE] for text in texts for line in text.splitlines()]
    frames = tuple(_frames(lines))[:MOST_FRAMES]
    exception, message = _exception(lines)
    words = [message, error_message[:LONGEST_TEXT], endpoint, log_excerpt[:LONGEST_TEXT]]
    named = (path for text in words for path in _FILE.findall(text))
    files = dict.fromkeys([*(frame.path for frame in frames if frame.is_ours), *named])
    return Recognised(
        exception=exception,
        message=message or next((line.strip() for line in error_message.splitlines() if line.strip()), "")[:LONGEST_LINE],
        frames=frames,
        files=tuple(files)[:MOST_NAMES],
        identifiers=tuple(_identifiers(words, frames, exception))[:MOST_NAMES],
    )


def _frames(lines: list[str]) -> Iterator[Frame]:
    """Frame by frame, each run of one language turned so that the innermost comes first."""
    run: list[Frame] = []
    language = ""
    for number, line in enumerate(lines):
        found = _frame(line, lines[number - 1] if number else "")
        if found and found[0] == language:
            run.append(found[1])
        elif found or not _belongs_to_a_trace(line, language):
            yield from reversed(run) if language in _INNERMOST_LAST else run
            language, run = (found[0], [found[1]]) if found else ("", [])
    yield from reversed(run) if language in _INNERMOST_LAST else run


def _belongs_to_a_trace(line: str, language: str) -> bool:
    """Between two frames stand lines of code (Python) or the names of functions (Go, Rust)."""
    if language in {"python", "rust"}:
        return line.startswith(("    ", "\t")) or line.lstrip()[:1].isdigit()
    return language == "go" and bool(line) and not line.startswith("goroutine ")


def _frame(line: str, before: str) -> tuple[str, Frame] | None:
    for language, pattern in _FRAMES:
        if match := pattern.match(line):
            function = (match["function"] or "").strip()
            if not function and language in {"go", "rust"}:
                function = _function_of_line(before)
            path = match["path"].removeprefix("file://")
            return language, Frame(path, int(match["line"] or 0), function, _is_ours(path, function, language))
    return None


def _function_of_line(line: str) -> str:
    """Go and Rust write the function on the line before the place."""
    name = re.sub(r"^\s*\d+:\s*(?:0x[0-9a-f]+ - )?", "", line.strip())
    return name.rpartition("(")[0] or name if len(name) < 200 else ""


def _is_ours(path: str, function: str, language: str) -> bool:
    if language == "java":
        return not _LIBRARY_JAVA.match(function)
    return not _LIBRARY.search(path.replace("\\", "/"))


def _exception(lines: list[str]) -> tuple[str, str]:
    """The type and message: the one that a cause ends in, so the last of Java's causes and of Python's chain."""
    found = ("", "")
    for line in lines:
        if match := _EXCEPTION.match(line.strip()):
            if not found[0] or line.startswith("Caused by:") or not line.startswith((" ", "\t")):
                found = (match["type"], (match["message"] or match["ruby"] or "").strip())
        elif match := _RUBY_ERROR.search(line):
            found = found if found[0] else (match["type"], match["message"].strip())
        elif (match := _PANIC.match(line.strip())) and not found[0]:
            found = ("panic", match["message"].strip())
    return found


def _identifiers(words: list[str], frames: tuple[Frame, ...], exception: str) -> Iterator[str]:
    """Names in code, each once: functions of our frames, the exception, what is quoted, what is written like a name."""
    functions = [re.split(r"[.:#\s/]", frame.function.partition("(")[0])[-1] for frame in frames if frame.is_ours]
    kind = re.split(r"[.:\\]", exception)[-1]
    quoted = [name for text in words for name in _QUOTED.findall(text)]
    written = [name for text in words for name in _IDENTIFIER.findall(text)]
    seen = {"", "<module>", "panic"}
    for name in (kind, *functions, *quoted, *written):
        if name not in seen and len(name) > 2:
            seen.add(name)
            yield name
