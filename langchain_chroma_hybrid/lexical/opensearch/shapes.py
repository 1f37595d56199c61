"""What the answers of a cluster look like: who answers otherwise is none, or was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def is_answer(method: str, path: str, status: int, answer: Any) -> bool:
    """Whether an answer that is no error for us is one to such a request.

    A web server that is no cluster says 404, too, and a proxy in front of one 200.
    """
    if not isinstance(answer, dict):
        return False
    if status >= 300:  # noqa: PLR2004
        return "error" in answer or answer.get("found") is False
    if "/_doc/" in path:
        noted = method != "GET" or isinstance(answer.get("_source"), dict)
        return noted and isinstance(answer.get("_seq_no"), int)
    fits = _BY_END.get(path.rpartition("/")[2])
    if fits is None and method == "GET":
        return _is_description(path, answer)
    return fits(answer) if fits is not None else "acknowledged" in answer


def _is_description(path: str, answer: Mapping[str, Any]) -> bool:
    """Of indices by name, or of templates."""
    if path.startswith("/_index_template/"):
        return _all(answer.get("index_templates"), lambda each: "index_template" in each)
    if path.count("/") > 1 or path == "/":
        return True
    return all(isinstance(a, dict) and isinstance(a.get("mappings"), dict) for a in answer.values())


def _is_item(item: Mapping[str, Any]) -> bool:
    told = next(iter(item.values()), None)
    return isinstance(told, dict) and isinstance(told.get("status"), int)


def _is_found(response: Mapping[str, Any]) -> bool:
    hits = response.get("hits")
    return "error" in response or (isinstance(hits, dict) and isinstance(hits.get("hits"), list))


def _all(parts: Any, fits: Any) -> bool:
    return isinstance(parts, list) and all(isinstance(each, dict) and fits(each) for each in parts)


_BY_END: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "_bulk": lambda answer: _all(answer.get("items"), _is_item),
    "_msearch": lambda answer: _all(answer.get("responses"), _is_found),
    "_refresh": lambda answer: isinstance(answer.get("_shards"), dict),
}
