"""A new model into the live collection: migrate, verify, and weigh both legs anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.datasets import Dataset
from langchain_chroma_hybrid.evaluation.evaluate import evaluate
from langchain_chroma_hybrid.evaluation.statistics import compare
from langchain_chroma_hybrid.evaluation.tune import LEAST_QUERIES, tune
from langchain_chroma_hybrid.finetune.loading import check_store
from langchain_chroma_hybrid.finetune.verdict import Verdict
from langchain_chroma_hybrid.migration import migrate, rollback

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.engine.migrate.report import MigrationReport
    from langchain_chroma_hybrid.evaluation import Difference, Tuned


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion has done.

    Attributes:
        migration: how the collection was embedded anew; None for an adapter, which needs none.
        promoted: False where it was taken back, because hybrid search was significantly worse.
        gain: of hybrid nDCG@10 on the dev queries; None without any.
        tuned: the weights of both legs, measured anew; None with fewer than 20 dev queries.
    """

    migration: MigrationReport | None
    promoted: bool
    gain: Difference | None = None
    tuned: Tuned | None = None


@known_keywords
def promote(
    store: Chroma,
    embeddings: Embeddings,
    *,
    verdict: Verdict | None = None,
    force: bool = False,
    dev: Dataset | None = None,
    alpha: float = 0.05,
    batch_size: int = 256,
    swap_names: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Promotion:
    """Embed the collection anew by a better model, switch, and look whether it is better there.

    `migrate` verifies the copy before it switches; `migration.rollback(store, old)` goes back, and
    `migration.drop_previous(store)` ends it. With `dev` queries, hybrid search is measured before
    and after; where it has become significantly worse, the collection is rolled back at once.

    Args:
        store: the collection, with its old model.
        embeddings: the new model; for `AdaptedEmbeddings` over the old model nothing is embedded
            anew: open the store by them.
        verdict: of `Experiment.verdict()`.
        force: promote although there is no verdict, or it is not `better`.
        dev: judged queries that decide nothing else: not those of the test.
        alpha: highest p-value that counts as significantly worse.
        batch_size: as for `migration.migrate`.
        swap_names: as there.
        progress: as there.

    Raises:
        InvalidArgumentError: no verdict, or one that is not `better`, without `force`; and what
            `migrate` raises.
    """
    check_store(store)
    number("alpha", alpha, 0.0, 1.0)
    for name, given, kind in (("verdict", verdict, Verdict), ("dev", dev, Dataset)):
        if not isinstance(given, kind | None):
            raise InvalidArgumentError.of_kind(name, given, f"a {kind.__name__} or None")
    if not force and (verdict is None or not verdict.better):
        got = "none" if verdict is None else verdict.said()
        raise InvalidArgumentError(
            f"verdict: expected one that says better, got {got!r}; force=True promotes anyway"
        )
    old, before = store.embeddings, _hybrid(store, dev)
    if old is not None and _same(old, embeddings):
        return Promotion(None, promoted=True)
    report = migrate(
        store, embeddings, batch_size=batch_size, swap_names=swap_names, progress=progress
    )
    gain = None if dev is None else compare(_hybrid(store, dev), before)
    if gain is not None and gain.mean < 0 and gain.p <= alpha and not force:
        rollback(store, old)
        return Promotion(report, promoted=False, gain=gain)
    enough = dev is not None and before and len(before) >= LEAST_QUERIES
    tuned = tune(store, dev.queries, dev.qrels) if dev is not None and enough else None
    return Promotion(report, promoted=True, gain=gain, tuned=tuned)


def _hybrid(store: Chroma, dev: Dataset | None) -> tuple[float, ...]:
    """nDCG@10 of each dev query; empty without any."""
    if dev is None:
        return ()
    found = evaluate(store, dev.queries, dev.qrels, modes=("hybrid",))
    return found.values["hybrid"]["nDCG@10"]


def _same(old: Embeddings, new: Embeddings) -> bool:
    """Whether both embed documents alike, as an adapter and its base do."""
    fingerprint = getattr(new, "fingerprint", None)
    return fingerprint is not None and fingerprint == getattr(old, "fingerprint", None)
