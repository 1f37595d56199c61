"""Keeps a sample of the mutants in a session of cosmic-ray: `sample.py SESSION COUNT SEED`.

None of `X | Y`: nearly all of those stand in annotations, which nobody evaluates.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys


def main(session: str, count: str, seed: str) -> None:
    with sqlite3.connect(session) as database:
        rows = database.execute(
            "SELECT job_id, operator_name FROM mutation_specs "
            "ORDER BY module_path, operator_name, occurrence"
        )
        jobs = [job for job, operator in rows if "BitOr" not in operator]
        kept = random.Random(int(seed)).sample(jobs, min(int(count), len(jobs)))  # noqa: S311
        listed = [json.dumps(kept)]
        database.execute("CREATE TEMP TABLE kept AS SELECT value FROM json_each(?)", listed)
        database.execute("DELETE FROM mutation_specs WHERE job_id NOT IN (SELECT value FROM kept)")
        database.execute("DELETE FROM work_items WHERE job_id NOT IN (SELECT value FROM kept)")


if __name__ == "__main__":
    main(*sys.argv[1:])
