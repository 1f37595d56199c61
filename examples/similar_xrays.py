"""Find the pictures most similar to one: X-rays, scans, any folder, DICOM included.

    python examples/similar_xrays.py FOLDER QUERY [--model clip-ViT-B-32] [--only '{"view": "PA"}']

Reports beside the pictures (scan7.txt for scan7.png) become their captions, so that words of a
finding and the look of a picture can be asked for together (`--text`). `--only` is a Chroma filter
on the metadata; DICOM files bring `modality`, `body_part` and `view`, and nothing about persons.
Use a model that was trained on such pictures. This is a search, not a diagnosis.
Needs: pip install 'langchain-chroma-hybrid[dicom]'
"""

import argparse
import json
import sys
from pathlib import Path

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import ChromaHybridError
from langchain_chroma_hybrid.multimodal import ImageCollection


def report_of(path: Path) -> str | None:
    beside = path.with_suffix(".txt")
    if beside.is_symlink() or not beside.is_file():  # a link could lead to any file
        return None
    return beside.read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("query", type=Path)
    parser.add_argument("--model", default="clip-ViT-B-32")
    parser.add_argument("--text", default="")
    parser.add_argument("--only", type=json.loads)
    parser.add_argument("-k", type=int, default=5)
    parser.add_argument("--db", default="./xrays_db")
    given = parser.parse_args()

    scans = ImageCollection.open("xrays", MultimodalEmbeddings(given.model), given.db)
    report = scans.sync(given.folder, captions=report_of, progress=tell)
    for failure in report.failed:
        print(f"left out: {failure.reason}")

    result = scans.explain(given.text, image=given.query, filter=given.only, k=given.k)
    for hit in result.hits:
        facts = hit.record.metadata
        first = (hit.record.text or "").partition("\n")[0]
        print(f"{hit.relevance:.3f}  distance {hit.distance:.3f}  {facts['file_name']:24} {first}")


def tell(done: int, total: int) -> None:
    print(f"{done} of {total} pictures", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except ChromaHybridError as error:
        sys.exit(str(error))
