"""Make the lexical index folder of the tests of upgrades, with the version of the package at hand.

    python tests/data/make_old_index.py [--out tests/data/old-index]

`old-index/format-1` is what version 0.1.0 wrote before it had format 2, so that running this again
with a later version makes another folder: name it after that version's format.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings

HERE = Path(__file__).parent
FIELDS = {"page_content": 1.0, "title": 0.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "old-index")
    out = parser.parse_args().out
    records = [json.loads(line) for line in (out / "records.jsonl").read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        with HybridChroma("old", WordEmbeddings(8), folder, lexical_fields=FIELDS) as store:
            write(store, records)
            (index,) = (Path(folder) / "lexical").iterdir()
        number = json.loads((index / "format.json").read_text("utf-8"))["format"]
        target = out / f"format-{number}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(index, target, ignore=shutil.ignore_patterns("*.lock"))
    print(f"{len(records)} records in {target}")


def write(store: HybridChroma, records: list[dict]) -> None:
    """In several commits, with a change and a removal between."""
    store.add_texts(["to be changed", "to be removed"], ids=[records[0]["id"], "removed"])
    store.similarity_search("words")
    store.delete(["removed"])
    for record in records:
        columns = {"ids": [record["id"]], "embeddings": [[0.5] * 8]}
        text, metadata = record["text"], record["metadata"] or None
        store._collection.upsert(**columns, documents=text and [text], metadatas=metadata)
        if text is None:
            store._collection.delete([record["id"]])
            store._collection.add(**columns, metadatas=metadata)
    store.similarity_search("words")


if __name__ == "__main__":
    main()
