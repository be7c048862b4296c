"""Typed YAML: a frozen dataclass is the schema of a file; its fields' metadata documents the keys.

A field is declared with `key("what it means")`. Types understood: str, int, bool, list[X], dict[str, X],
`X | None` and other such dataclasses. A mapping to texts or dataclasses may have a form for its names, too.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from staticpython.errors import FactsError, nearest
from staticpython.forms import Form

T = TypeVar("T")

_base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}
# What YAML makes of text that looks like something else.
_WITHOUT_QUOTES = (bool, int, float, datetime.date)
_JSON_NAMES = {str: "string", int: "integer", bool: "boolean"}


class _Loader(_base):  # type: ignore[misc]  # its base is chosen when this starts
    """PyYAML's loader takes the last of two equal keys; this one refuses the second."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        if len(names) != len(set(names)):
            twice = [name for name, _ in node.value if names.count(name.value) > 1][1]
            raise yaml.constructor.ConstructorError(None, None, f"'{twice.value}' is given twice", twice.start_mark)
        return super().construct_mapping(node, deep)


def key(
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    choices: tuple[str, ...] | tuple[int, ...] = (),
    form: Form | None = None,
) -> Any:
    """Declare a YAML key: its documentation, its default (without one it is required) and what it may be.

    Of a list each text is of the form, of a mapping each name and each text.
    """
    metadata = {"doc": doc, "choices": choices, "form": form}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def read_text(path: Path) -> str:
    """Return the text of a file of facts; raises FactsError if it cannot be read or is not in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FactsError(f"{path}: not in UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise FactsError(f"{path}: {error.strerror}") from None


def load(path: Path, schema: type[T], **given: Any) -> T:
    """Read `path` as `schema`; `given` are fields that come from elsewhere, such as the file's name.

    Raises FactsError with the file and the key of the first mistake.
    """
    try:
        data = yaml.load(read_text(path), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise FactsError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise FactsError(f"{path}: not valid YAML: {error}") from None
    return _build(schema, data, str(path), "", given)


def json_schema(schema: type[Any], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the files that `load` reads as `schema`, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_json_object(schema)}


def _json_object(schema: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(schema)
    fields = [f for f in dataclasses.fields(schema) if not is_derived(f)]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [f.name for f in fields if is_required(f)],
        "properties": {f.name: {"description": f.metadata["doc"], **_json_type(hints[f.name], f)} for f in fields},
    }


def _json_type(hint: Any, field: dataclasses.Field[Any] | None) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        some = next(a for a in arguments if a is not type(None))
        return {"anyOf": [_json_type(some, field), {"type": "null"}]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _json_object(hint)
    if origin is list:
        return {"type": "array", "items": _json_type(arguments[0], field)}
    form: Form | None = field.metadata["form"] if field else None
    pattern = {"pattern": f"^(?:{form.pattern})$"} if form else {}
    if origin is dict:
        names = {"propertyNames": pattern} if form else {}
        return {"type": "object", "additionalProperties": _json_type(arguments[1], field), **names}
    choices = field.metadata["choices"] if field else ()
    return {"type": _JSON_NAMES[hint], **({"enum": list(choices)} if choices else {}), **pattern}


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Tell whether a YAML file must have a key."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def is_derived(field: dataclasses.Field[Any]) -> bool:
    """Tell whether a field is given by the loader rather than written in the YAML file."""
    return "doc" not in field.metadata


@functools.cache
def _type_hints(schema: type[Any]) -> dict[str, Any]:
    """Return the types of a dataclass's fields. Python compiles each annotation for that, so it is done once."""
    return typing.get_type_hints(schema)


def _build(schema: type[T], data: object, where: str, prefix: str, given: dict[str, Any]) -> T:
    if not isinstance(data, dict):
        raise FactsError(f"{where}: {prefix.rstrip('.') or 'the file'}: must be a mapping, not {_kind(data)}")
    hints = _type_hints(schema)  # type: ignore[arg-type]  # a class is hashable
    fields = {f.name: f for f in dataclasses.fields(schema) if not is_derived(f)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            raise FactsError(
                f"{where}: {prefix}{name}: unknown key{nearest(str(name), fields)}"
                f" (allowed: {', '.join(sorted(fields))})"
            )
    values = dict(given)
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(data[name], hints[name], field, where, f"{prefix}{name}")
            if values[name] == "" and is_required(field):
                raise FactsError(f"{where}: {prefix}{name}: empty; it says: {field.metadata['doc']}")
        elif is_required(field):
            raise FactsError(f"{where}: {prefix}{name}: missing; it says: {field.metadata['doc']}")
    return schema(**values)


def _convert(value: Any, hint: Any, field: dataclasses.Field[Any] | None, where: str, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _convert(value, next(a for a in arguments if a is not type(None)), field, where, name)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, where, f"{name}.", {})
    wanted = origin or hint
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        quotes = "; put it in quotes" if wanted is str and isinstance(value, _WITHOUT_QUOTES) else ""
        raise FactsError(f"{where}: {name}: must be {_NAMES[wanted]}, not {_kind(value)}{quotes}")
    form: Form | None = field.metadata["form"] if field else None
    if wanted is list:
        for item in value:
            if form and value.count(item) > 1:
                raise FactsError(f"{where}: {name}: {item} stands there twice")
        return [_convert(item, arguments[0], field, where, f"{name}[{i}]") for i, item in enumerate(value)]
    if wanted is dict:
        for k in value:
            if form:
                form.check(str(k), f"{where}: {name}")
        return {str(k): _convert(v, arguments[1], field, where, f"{name}.{k}") for k, v in value.items()}
    choices = field.metadata["choices"] if field else ()
    if choices and value not in choices:
        allowed = [str(choice) for choice in choices]
        raise FactsError(
            f"{where}: {name}: '{value}' is not allowed{nearest(str(value), allowed)} (allowed: {', '.join(allowed)})"
        )
    if form:
        form.check(value, f"{where}: {name}")
    return value


def _kind(value: object) -> str:
    if isinstance(value, datetime.date):
        return f"a date ({value})"
    return "nothing" if value is None else f"{_NAMES.get(type(value), type(value).__name__)} ({value!r})"
