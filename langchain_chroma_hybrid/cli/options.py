"""Options that several commands share, and what every command does with errors."""

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer
from typer.core import TyperGroup

from langchain_chroma_hybrid.cli.plain import one_line, printable
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    CollectionError,
    EmbeddingError,
    InvalidArgumentError,
    MissingDependencyError,
    UnknownArgumentError,
)

FAILED, USAGE = 1, 2
Format = Literal["table", "json", "jsonl", "csv"]
# What is typed in other words would work; everything else is nothing that typing could mend.
_USAGE = (InvalidArgumentError, UnknownArgumentError, CollectionError, MissingDependencyError)


def _from(variable: str) -> str:
    return f"CHROMA_HYBRID_{variable}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the collections are."""

    path: Annotated[
        Path | None, typer.Option(help="Folder of a local Chroma.", envvar=_from("PATH"))
    ] = None
    url: Annotated[
        str | None,
        typer.Option(help="A Chroma server: http://host:port.", envvar=_from("URL")),
    ] = None
    tenant: Annotated[
        str | None,
        typer.Option(help="Tenant; Chroma's default if left out.", envvar=_from("TENANT")),
    ] = None
    database: Annotated[
        str | None,
        typer.Option(help="Database; Chroma's default if left out.", envvar=_from("DATABASE")),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Server):
    """Which collection is meant, and how its lexical index is built."""

    collection: Annotated[
        str | None,
        typer.Option(
            "--collection",
            "-c",
            help="May be left out where there is one.",
            envvar=_from("COLLECTION"),
        ),
    ] = None
    analyzer: Annotated[
        str,
        typer.Option(
            help="Language of the lexical index (its stemmer), or none.", envvar=_from("ANALYZER")
        ),
    ] = "english"
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="A lexical field, NAME or NAME=BOOST; page_content is the text.",
            envvar=_from("FIELD"),
        ),
    ] = None
    lexical: Annotated[
        str | None,
        typer.Option(
            help="Where the lexical index is: tantivy:FOLDER, postgresql://…, "
            "opensearch+https://…, elasticsearch+https://…; else by the data.",
            envvar=_from("LEXICAL"),
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What makes a text a vector."""

    embeddings: Annotated[
        str | None,
        typer.Option(
            help="A Sentence Transformers model by name or folder, minilm, provider:model, or "
            "module:object; else the collection's.",
            envvar=_from("EMBEDDINGS"),
        ),
    ] = None
    network: Annotated[
        bool,
        typer.Option(
            "--network",
            help="Let embeddings fetch a model or ask a service.",
            envvar=_from("NETWORK"),
        ),
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

    format: Annotated[Format, typer.Option(help="How results are printed.")] = "table"
    json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False

    @property
    def kind(self) -> Format:
        """The format that is meant.

        Raises:
            InvalidArgumentError: two are.
        """
        if self.json and self.format not in ("table", "jsonl"):
            raise InvalidArgumentError.of("--json", f"--format {self.format}", "no other --format")
        return "jsonl" if self.json else self.format


@dataclass(frozen=True, slots=True, kw_only=True)
class Sure:
    """Whether to ask before something is lost."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False

    def ask(self, question: str) -> None:
        """Go on if the user says so, on stderr; else the command ends, and nothing is changed."""
        if not self.yes and not typer.confirm(printable(question), err=True):
            sys.stderr.write("note: nothing was changed\n")
            raise typer.Exit(FAILED)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function whose parameters may be dataclasses of options.

    Each field of such a dataclass becomes an option of the command. An error ends it with one line
    and a code; with `output.debug`, the traceback comes before.
    """
    groups, options = _expanded(function)

    @wraps(function)
    def run(context: typer.Context, **given: Any) -> None:
        _prefer_typed(context, given)
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
            wrong = isinstance(error, _USAGE) and not isinstance(error, EmbeddingError)
            raise typer.Exit(USAGE if wrong else FAILED) from error

    # Typer reads one or the other, by version.
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # read by inspect
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


class OneLineErrors(TyperGroup):
    """A group of commands that says what is wrong with its arguments in one line."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, and exit with the code: 0, what a command chose, or 2 for bad usage."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
            sys.stdout.flush()
        except typer.Abort:
            sys.stderr.write("stopped: nothing was changed\n")
            code = FAILED
        except OSError as error:
            # Nobody reads on, or the disk is full: found out when the rest is to be written.
            code = FAILED
            if not isinstance(error, BrokenPipeError):
                _tell(error)
        except Exception as error:
            # The common base of usage errors has no public name in every version of typer.
            if not hasattr(error, "format_message"):
                raise
            message = one_line(error.format_message()).replace("Value error, ", "")
            sys.stderr.write(f"error: {printable(message)} (see --help)\n")
            code = USAGE
        sys.exit(code or 0)


def _prefer_typed(context: typer.Context, given: dict[str, Any]) -> None:
    """A place that was typed counts more than one of the environment."""
    for typed, other in (("path", "url"), ("url", "path")):
        if typed in given and "COMMANDLINE" in str(context.get_parameter_source(typed)):
            source = str(context.get_parameter_source(other))
            given[other] = None if "ENVIRONMENT" in source else given[other]


def _expanded(
    function: Callable[..., None],
) -> tuple[Mapping[str, Any], list[inspect.Parameter]]:
    """The dataclasses among the parameters, and all options that the parameters stand for."""
    groups: dict[str, Any] = {}
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if is_dataclass(parameter.annotation):
            group = cast("Callable[..., object]", parameter.annotation)
            groups[parameter.name] = group
            options += inspect.signature(group).parameters.values()
        else:
            options.append(parameter)
    return groups, [option.replace(kind=keyword) for option in options]


def _tell(error: Exception) -> None:
    message = one_line(str(error))
    if not isinstance(error, ChromaHybridError | ValueError | OSError) or not message:
        message = f"{type(error).__name__}: {message}"
    notes = map(one_line, getattr(error, "__notes__", ()))
    sys.stderr.write(f"error: {printable('; '.join([message, *notes]))}\n")

