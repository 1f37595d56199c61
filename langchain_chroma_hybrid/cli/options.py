"""Options that several commands share, and what every command does with errors."""

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from langchain_chroma_hybrid.errors import ChromaHybridError

FAILED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which collection is meant, and how its lexical index is built."""

    path: Annotated[Path | None, typer.Option(help="Folder of a local Chroma.")] = None
    url: Annotated[str | None, typer.Option(help="A Chroma server: http://host:port.")] = None
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="May be left out where there is one.")
    ] = None
    tenant: Annotated[str | None, typer.Option(help="Tenant; Chroma's default if left out.")] = None
    database: Annotated[
        str | None, typer.Option(help="Database; Chroma's default if left out.")
    ] = None
    analyzer: Annotated[
        str, typer.Option(help="Language of the lexical index (its stemmer), or none.")
    ] = "english"
    field: Annotated[
        list[str] | None,
        typer.Option(help="A lexical field, NAME or NAME=BOOST; page_content is the text."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What makes a query a vector."""

    embeddings: Annotated[
        str | None,
        typer.Option(help="Sentence Transformers model, by name or folder; else the collection's."),
    ] = None
    network: Annotated[
        bool, typer.Option("--network", help="Let embeddings fetch a model or ask a service.")
    ] = False
    trust: Annotated[
        list[str] | None,
        typer.Option(help="A model or embedding function that the collection may name."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How errors are shown."""

    debug: Annotated[bool, typer.Option("--debug", help="Show errors with traceback.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Errors):
    """How results and errors are shown."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")] = False


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function whose parameters may be dataclasses of options.

    Each field of such a dataclass becomes an option of the command. An error ends it with one line
    and code 2; with `output.debug`, the traceback comes before.
    """
    groups, options = _expanded(function)

    @wraps(function)
    def run(**given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        try:
            function(**given, **made)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if made["output"].debug:
                traceback.print_exc()
            _tell(error)
            raise typer.Exit(FAILED) from error

    # Typer reads one or the other, by version.
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # read by inspect
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


class OneLineErrors(TyperGroup):
    """A group of commands that says what is wrong with its arguments in one line."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, and exit with the code: 0, what a command chose, or 2 for an error."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except Exception as error:
            # The common base of usage errors has no public name in every version of typer.
            if not hasattr(error, "format_message"):
                raise
            sys.stderr.write(f"error: {_line(error.format_message())} (see --help)\n")
            code = FAILED
        sys.exit(code or 0)


def _expanded(
    function: Callable[..., None],
) -> tuple[Mapping[str, Any], list[inspect.Parameter]]:
    """The dataclasses among the parameters, and all options that the parameters stand for."""
    groups: dict[str, Any] = {}
    options: list[inspect.Parameter] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if is_dataclass(parameter.annotation):
            group = cast("Callable[..., object]", parameter.annotation)
            groups[parameter.name] = group
            options += inspect.signature(group).parameters.values()
        else:
            options.append(parameter)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return groups, [option.replace(kind=keyword) for option in options]


def _tell(error: Exception) -> None:
    message = _line(str(error))
    if not isinstance(error, ChromaHybridError | ValueError | OSError) or not message:
        message = f"{type(error).__name__}: {message}"
    sys.stderr.write(f"error: {message}\n")


def _line(text: str) -> str:
    return " ".join(text.split())
