"""Find pictures by words, by a picture, by both, and with arithmetic.

    python examples/image_collection.py FOLDER [--model clip-ViT-B-32] [--text "a red car"]

Any folder of pictures will do. A captions.jsonl in it (lines of `file` and `caption`) is read, and
its words are searched as well. Run it twice: unchanged pictures are not embedded again.
Needs: pip install 'langchain-chroma-hybrid[image]'
"""

import argparse
import json
import sys
from pathlib import Path

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import ChromaHybridError
from langchain_chroma_hybrid.multimodal import ImageCollection


def read_captions(folder: Path) -> dict[str, str]:
    path = folder / "captions.jsonl"
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["file"]: row["caption"] for row in rows}


def show(title: str, documents: list) -> None:
    print(f"\n{title}")
    for document in documents:
        score = document.metadata.get("chroma_hybrid_score")
        shown = f"{score:.3f}  " if score is not None else ""
        print(f"  {shown}{document.metadata['file_name']:24} {document.page_content}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="clip-ViT-B-32")
    parser.add_argument("--text", default="a red car")
    parser.add_argument("--db", default="./pictures_db")
    given = parser.parse_args()

    pictures = ImageCollection.open("pictures", MultimodalEmbeddings(given.model), given.db)
    report = pictures.sync(given.folder, captions=read_captions(given.folder))
    print(
        f"{len(report.added)} new, {len(report.updated)} changed, {len(report.unchanged)} as before"
    )
    for failure in report.failed:
        print(f"  left out: {failure.reason}")

    retriever = pictures.as_retriever(k=3, score_key="chroma_hybrid_score")
    found = retriever.invoke(given.text)
    show(f"By words: {given.text}", found)

    # A record may name any file: look for its name among those that are in the folder.
    names = {path.name: path for path in given.folder.rglob("*")}
    image = names[found[0].metadata["file_name"]]
    show(f"By a picture: {image.name}", retriever.invoke("", image=image))
    show("By both", retriever.invoke(given.text, image=image, image_weight=0.3))
    show(f"{image.name} - {given.text}", pictures.query([image], [given.text], [1.0, 0.5], k=3))

    blocks = pictures.as_content_blocks(found, max_bytes=100_000)
    print("\nFor a model that sees:", [block["type"] for block in blocks])


if __name__ == "__main__":
    try:
        main()
    except ChromaHybridError as error:
        sys.exit(str(error))
