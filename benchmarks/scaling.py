"""Staleness and load of many hosts over one Chroma server: a simulation of what they do.

    python benchmarks/scaling.py [--chunks N] [--tenants N] [--hosts N] [--write]

Each tenant has a collection; sizes follow Zipf's law, activity the square root of size. Nothing is
measured: the rules are those of `engine.sync` with its own constants, and what a step costs is in
RESULTS.md. Seeded, so that the same arguments give the same numbers.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from _results import RESULTS, table, write_section

from langchain_chroma_hybrid.engine.sync.policy import MAX_AGE, SyncPolicy
from langchain_chroma_hybrid.engine.sync.watch import _PAGE, _PAUSE

# A second and a record, of an index per host and a shared one; see "Engines, 100,000 records", and
# "Latency over `chroma run`".
BUILT, BYTES, PAGE_CPU = {False: 1_440, True: 620}, {False: 350, True: 4_700}, 0.031


@dataclass(frozen=True)
class Fleet:
    """Who asks and writes; rates are in events a second, all hosts together."""

    chunks: int = 100_000_000
    tenants: int = 10_000
    hosts: int = 8
    workers: int = 4
    queries: float = 200.0
    writes: float = 20.0
    seconds: int = 1_800
    seed: int = 0

    def sizes(self) -> np.ndarray:
        """Chunks of each tenant, largest first."""
        weights = 1 / np.arange(1, self.tenants + 1)
        return np.maximum(1, self.chunks * weights / weights.sum()).astype(int)

    def events(self, rate: float, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Seconds (ascending), tenants and workers of events of that rate."""
        count = random.poisson(rate * self.seconds)
        active = np.sqrt(self.sizes())
        when = np.sort(random.uniform(0, self.seconds, count))
        whose = random.choice(self.tenants, count, p=active / active.sum())
        return when, whose, random.integers(0, self.hosts * self.workers, count)


@dataclass(frozen=True)
class Setup:
    """Where the lexical index is, who writes, and whether a tenant has a host of its own."""

    shared: bool
    writers: str
    routed: bool
    max_age: float = MAX_AGE

    def name(self) -> str:
        """As a row of the table has it."""
        index = "shared index" if self.shared else "an index per host"
        routing = "a host per tenant" if self.routed else "any host"
        return f'{index}, {routing}, `writers="{self.writers}"`, `max_age={self.max_age:g}`'


@dataclass
class Outcome:
    """What came of it."""

    stale: list[float]
    queries: int
    looks: int
    opened: dict[int, set[int]]
    built: list[int]


def simulate(fleet: Fleet, setup: Setup) -> Outcome:
    """Run the queries and writes in order of time."""
    random = np.random.default_rng(fleet.seed)
    asked, written = fleet.events(fleet.queries, random), fleet.events(fleet.writes, random)
    sizes = fleet.sizes()
    writes = _by_tenant(fleet, setup, written)
    looked: dict[tuple[int, int], float] = {}
    has: set[tuple[int, int]] = set()
    found = Outcome([], len(asked[0]), 0, defaultdict(set), [])
    for when, tenant, worker in zip(*(each.tolist() for each in asked), strict=True):
        own = _worker(fleet, setup, tenant, worker)
        # What one of them has brought in, all see who read the same index.
        index = 0 if setup.shared else 1 + own // fleet.workers
        if (index, tenant) not in has:
            has.add((index, tenant))
            found.built.append(int(sizes[tenant]))
        found.opened[own].add(tenant)
        last = looked.get((own, tenant), -np.inf)
        if when - last >= setup.max_age:
            found.looks += 1
            looked[own, tenant] = looked[-index, tenant] = when
            continue
        known = max(last, looked.get((-index, tenant), last))
        unseen = [t for t, by in writes.get(tenant, ()) if known < t < when and by != own]
        found.stale += [when - unseen[0]] if unseen else []
    return found


def _by_tenant(
    fleet: Fleet, setup: Setup, written: tuple[np.ndarray, ...]
) -> dict[int, list[tuple[float, int]]]:
    """When each tenant was written to, and by which worker."""
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for when, tenant, worker in zip(*(each.tolist() for each in written), strict=True):
        found[tenant].append((when, _worker(fleet, setup, tenant, worker)))
    return found


def _worker(fleet: Fleet, setup: Setup, tenant: int, worker: int) -> int:
    """Who serves the tenant: any, or one of its own host's."""
    if not setup.routed:
        return worker
    return tenant % fleet.hosts * fleet.workers + worker % fleet.workers


def passes(fleet: Fleet, setup: Setup, opened: dict[int, set[int]]) -> tuple[float, float]:
    """Hours until a stranger's update is found, and pages a second that all workers read for it.

    A worker goes over what it has open by turns, a page of each: a pass over a collection lasts as
    long as that of the others, up to as many pages. An update is met halfway, by the first of those
    who look into the same index. Median over collections as they are written to.
    """
    sizes, active = fleet.sizes(), np.sqrt(fleet.sizes())
    wait = max(_PAUSE, _PAGE / SyncPolicy().check_rate)
    pages = np.ceil(sizes / _PAGE)
    first: dict[int, list[float]] = defaultdict(list)
    for tenants in opened.values():
        own = np.sort(pages[list(tenants)])
        sums = np.concatenate([[0.0], np.cumsum(own)])
        for tenant in tenants:
            smaller = np.searchsorted(own, pages[tenant])
            turns = sums[smaller] + (len(own) - smaller) * pages[tenant]
            first[tenant].append(turns * wait / 3_600)
    lookers = len(opened) if setup.shared else fleet.workers
    found = {t: np.mean(took) / (1 + min(len(took), lookers)) for t, took in first.items()}
    order = sorted(found, key=found.__getitem__)
    share = np.cumsum(active[order]) / active[order].sum()
    return found[order[int(np.searchsorted(share, 0.5))]], len(opened) / wait


def row(fleet: Fleet, setup: Setup) -> list[str]:
    """What the table says of a set-up."""
    found = simulate(fleet, setup)
    indexes = 1 if setup.shared else fleet.hosts
    stale = np.array(found.stale or [0.0])
    hours, pages = passes(fleet, setup, found.opened)
    watched = setup.writers == "any"
    return [
        setup.name(),
        f"{100 * len(found.stale) / found.queries:.2f}",
        f"{np.median(stale):.1f} / {stale.max():.1f}",
        f"{hours:.1f}" if watched else "as the others",
        f"{found.looks / fleet.seconds:.0f}",
        f"{pages:.0f} ({pages * PAGE_CPU:.1f})" if watched else "0",
        f"{sum(found.built) * BYTES[setup.shared] / indexes / 1e9:.0f}",
        f"{sum(found.built) / BUILT[setup.shared] / indexes / 3_600:.1f}",
    ]


SETUPS = [
    *(Setup(shared, "any", routed) for shared in (False, True) for routed in (False, True)),
    *(Setup(shared, "ours", routed=True) for shared in (False, True)),
    *(Setup(shared, "ours", routed=True, max_age=30.0) for shared in (False, True)),
]
HEAD = [
    "", "queries that miss a write, %", "by s, median / most", "update by a stranger found, h",
    "looks, requests a second", "check, requests a second (cores of the server)",
    "GB of each index", "hours to build each",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    own = Fleet()
    for name in ("chunks", "tenants", "hosts", "workers", "seconds", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(own, name))
    for name in ("queries", "writes"):
        parser.add_argument(f"--{name}", type=float, default=getattr(own, name))
    parser.add_argument("--write", action="store_true", help="RESULTS.md")
    options = vars(parser.parse_args())
    write = options.pop("write")
    fleet = replace(own, **options)
    text = (
        f"## Hosts, simulated\n\n{fleet.chunks:,} chunks of {fleet.tenants:,} tenants, the largest "
        f"with {fleet.sizes()[0]:,}; {fleet.hosts} hosts of {fleet.workers} workers, "
        f"{fleet.queries:g} queries and {fleet.writes:g} writes a second, "
        f"{fleet.seconds / 3_600:g} h, seed {fleet.seed}. `python benchmarks/scaling.py`\n\n"
        + table(HEAD, [row(fleet, setup) for setup in SETUPS])
    )
    if write:
        write_section(RESULTS, "scaling", text)
    print(text)


if __name__ == "__main__":
    main()
