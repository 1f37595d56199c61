"""Find the second in which something is said, shown or heard, in a folder of clips.

    python examples/media_archive.py FOLDER "tomatoes in the garden" [--model clip-ViT-B-32]

A transcript beside a clip (clip.srt, .vtt, .ass, Whisper's .json) is read; with --whisper, a size
such as `base` or the folder of a model, speech is written down where there is none. Run it twice:
unchanged files are not read again. A model of texts, such as all-MiniLM-L6-v2, finds what is said.
Needs: pip install 'langchain-chroma-hybrid[media]', for --whisper [speech]
"""

import argparse
import sys
from pathlib import Path

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import ChromaHybridError
from langchain_chroma_hybrid.multimodal import MediaCollection, Whisper


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("phrase")
    parser.add_argument("--model", default="clip-ViT-B-32")
    parser.add_argument("--whisper")
    parser.add_argument("--db", default="./media_db")
    given = parser.parse_args()

    speech = Whisper(given.whisper) if given.whisper else None
    embeddings = MultimodalEmbeddings(given.model)
    archive = MediaCollection.open("archive", embeddings, given.db, speech=speech)
    report = archive.sync(given.folder)
    print(
        f"{len(report.added)} new, {len(report.updated)} changed, {len(report.unchanged)} as before"
    )
    for failure in (*report.failed, *report.damaged):
        print(f"  {failure}")

    print(f"\n{given.phrase}")
    for file in archive.as_retriever(k=3).moments(given.phrase):
        name = file.hit.record.metadata["file_name"]
        relevance = file.hit.relevance or 0.0
        if not file.moments:
            print(f"  {relevance:.2f}  {name}: a picture")
        for moment in file.moments[:2]:
            said = moment.text.replace("\n", " / ")
            print(f"  {relevance:.2f}  {name} at {clock(moment.at)}  {said}")

    found = archive.search(given.phrase, k=1)
    blocks = archive.as_content_blocks(found, max_bytes=400_000)
    print("\nFor a model that sees and hears:", [block["type"] for block in blocks])


if __name__ == "__main__":
    try:
        main()
    except ChromaHybridError as error:
        sys.exit(str(error))
