"""Find pictures and clips: `make images`, or `streamlit run examples/image_search/app.py`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import gallery
import streamlit as st

from langchain_chroma_hybrid import MediaCollection, MultimodalEmbeddings
from langchain_chroma_hybrid.multimodal import Whisper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.multimodal import FileMoments, ImageReport

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
TINY = str(DATA / "tiny-clip")
MODEL = os.environ.get("CLIP_MODEL") or TINY
FOLDER = os.environ.get("IMAGES_FOLDER") or str(DATA / "pictures")
WHISPER = os.environ.get("WHISPER_MODEL")
DATABASE = os.environ.get("IMAGES_DB") or ".images"
COLUMNS = 4


@st.cache_resource(show_spinner="Loading the model")
def opened(model: str, database: str, whisper: str | None) -> MediaCollection:
    """The files that were embedded by this model."""
    home = Path(database) / re.sub(r"\W+", "-", model).strip("-")
    speech = Whisper(whisper) if whisper else None
    return MediaCollection.open("pictures", MultimodalEmbeddings(model), home, speech=speech)


@st.cache_data(max_entries=500, show_spinner=False)
def shown(uri: str, version: str, root: str) -> bytes | None:
    del version  # another one is another picture
    return gallery.picture(uri, root, 320)


def pick(photos: MediaCollection) -> Path | None:
    """The folder that is searched, once it has been looked through."""
    state = st.session_state
    named = st.text_input("Folder of pictures", FOLDER).strip()
    st.caption("With its subfolders; `captions.jsonl` in it says what is on the pictures.")
    wanted = st.button("Look through it", type="primary")
    try:
        folder = gallery.folder(named)
        if wanted:
            state.report = look_through(photos, folder)
        report: ImageReport | None = state.get("report")
        if report:
            told(report)
        known = photos.store.get(where={"root": str(folder)}, limit=1, include=[])["ids"]
    except Exception as error:  # noqa: BLE001  # a name that is none, a database that is locked
        wrong(error)
        return None
    return folder if known else None


def look_through(photos: MediaCollection, folder: Path) -> ImageReport | None:
    """Bring in what is new in a folder; what fails is told, and loses nothing."""
    bar = st.progress(0.0, "Looking")
    try:
        return photos.sync(
            folder,
            captions=gallery.captions(folder),
            progress=lambda done, all_: bar.progress(done / all_, f"{done:,} of {all_:,}"),
        )
    except Exception as error:  # noqa: BLE001  # no such folder, no picture in it, no room on disk
        wrong(error)
        return None
    finally:
        bar.empty()


def told(report: ImageReport) -> None:
    st.success(gallery.summary(report))
    for failures, what in ((report.failed, ""), (report.damaged, " to the end")):
        if failures:
            with st.expander(f"{len(failures)} could not be read{what}"):
                for failure in failures:
                    st.text(str(failure))


def query_picture(root: Path) -> bytes | None:
    """A picture to search with: an uploaded one, or one that more are to be found like."""
    state = st.session_state
    upload = st.file_uploader("Like this picture", key=f"upload-{state.setdefault('upload', 0)}")
    if upload is not None:
        state.like = None
        return upload.getvalue()
    if not state.get("like"):
        return None
    uri, kind, at = state.like
    found = gallery.picture(uri, root, 1024, kind, at)
    if found is None:
        st.html(gallery.GONE)
    else:
        st.image(found, width=120)
    if st.button("Without this picture"):
        state.like = None
        st.rerun()
    return found


def like(uri: str, kind: str, at: float) -> None:
    """Search with a picture of the gallery alone: the uploaded one goes, and so do the words."""
    st.session_state.like = uri, kind, at
    st.session_state.words = ""
    st.session_state.upload = st.session_state.get("upload", 0) + 1


def found(photos: MediaCollection, root: Path, words: str) -> tuple[list[FileMoments], bool] | None:
    """What words and picture find, and whether any were given; else the folder's first files."""
    image = query_picture(root)
    given, weight = image is not None, 0.5
    if given and words.strip():
        weight = st.slider("Weight of the picture", 0.0, 1.0, 0.5, 0.05)
    most = st.slider("Most pictures", COLUMNS, 12 * COLUMNS, 3 * COLUMNS, COLUMNS)
    try:
        options = {"k": most, "filter": {"root": str(root)}}
        if given:
            options |= {"image": image, "image_weight": weight}
        return photos.as_retriever().moments(words, **options), given or bool(words.strip())
    except Exception as error:  # noqa: BLE001  # above all: no picture
        wrong(error)
        return None


def show(files: Sequence[FileMoments], root: Path, *, scored: bool) -> None:
    """The gallery."""
    if not files:
        st.write("Nothing was found.")
    tiles = gallery.tiles(files, scored=scored)
    for start in range(0, len(tiles), COLUMNS):
        for tile, column in zip(tiles[start : start + COLUMNS], st.columns(COLUMNS), strict=False):
            with column:
                play(tile, root)
                st.html(tile.said)
                if tile.kind != "audio":
                    its = [tile.uri, tile.kind, tile.at]
                    st.button("More like this", key=f"like-{tile.id}", on_click=like, args=its)


def play(tile: gallery.Tile, root: Path) -> None:
    """The picture, or a player that starts at the second that was found."""
    if tile.kind == "image":
        data = shown(tile.uri, tile.version, str(root))
        st.html(gallery.GONE) if data is None else st.image(data, width="stretch")
        return
    path = gallery.playable(tile.uri, root)
    if path is None:
        there = gallery.picture(tile.uri, root, 320, tile.kind, tile.at) is not None
        st.html(gallery.TOO_LARGE if there else gallery.GONE)
        return
    player = st.video if tile.kind == "video" else st.audio
    player(str(path), start_time=int(tile.at))


def wrong(error: Exception) -> None:
    """An error in one line; `text` reads no Markdown in it."""
    st.error("That did not work:")
    st.text(" ".join(str(error).split())[:500] or type(error).__name__)


def main() -> None:
    st.set_page_config(page_title="Find pictures", layout="wide")
    st.html(gallery.STYLE)
    st.header("Find pictures")
    try:
        photos = opened(MODEL, DATABASE, WHISPER)
    except Exception as error:  # noqa: BLE001  # no such model, a folder that is locked
        wrong(error)
        st.stop()
    with st.sidebar:
        root = pick(photos)
        if MODEL == TINY:
            st.caption(
                "The model knows 287 emoji and nothing else. For photographs, set CLIP_MODEL, "
                "such as clip-ViT-B-32."
            )
    if root is None:
        st.write("Name a folder and look through it, then search. Everything stays here.")
        return
    words = st.text_input("Words", placeholder="what is on the picture", key="words")
    with st.sidebar:
        answer = found(photos, root, words)
    if answer:
        show(answer[0], root, scored=answer[1])


main()
