"""Statements of the busiest path: built and compiled once, run on the driver's own cursor.

Mapping objects, and even SQLAlchemy's bookkeeping of a result, cost more than SQLite needs to answer; a
deploy post runs five statements, so this is most of what a post costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

Convert = Callable[[Any], Any] | None


class Prepared:
    """A statement that compares `organization_id` with the parameter of that name, or an insert; only one
    that finds out the organization may do without."""

    def __init__(self, statement: Any, *, finds_organization: bool = False) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}
        self.is_scoped = "organization_id" in statement.compile().params
        if not self.is_scoped and not finds_organization:
            raise PermissionError(f"not filtered by organization: {statement}")

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run on a connection; rows as plain tuples, an empty list when there are none."""
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = self._compiled[connection.dialect.name] = _Compiled(self._statement, connection.dialect)
        return compiled.run(connection, parameters)


class _Compiled:
    """The text for one kind of database, with how its values go in and come out."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._positional = bool(compiled.positional)
        names = compiled.positiontup if self._positional else list(compiled.binds)
        fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required and bind.value is not None}
        self._inputs = [(n, fixed.get(n), _input(compiled.binds[n].type, dialect)) for n in names]
        self._fault: Any = dialect.loaded_dbapi.Error
        columns = getattr(statement, "selected_columns", ())
        self._outputs: list[Convert] = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        values = []
        for name, fixed, convert in self._inputs:
            value = parameters[name] if fixed is None else fixed
            values.append(convert(value) if convert else value)
        given: Any = tuple(values) if self._positional else dict(zip((n for n, _, _ in self._inputs), values, strict=True))
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, given)
            rows = cursor.fetchall() if self._outputs else []
        except self._fault as error:
            raise DBAPIError.instance(self._text, None, error, self._fault, hide_parameters=True) from error
        finally:
            cursor.close()
        return [
            tuple([convert(value) if convert else value for value, convert in zip(row, self._outputs, strict=True)])
            for row in rows
        ]


def _input(kind: Any, dialect: Dialect) -> Convert:
    found: Convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return found
