"""LangChain's own suite for retrievers, over a collection of pictures and sounds."""

import pytest
from langchain_tests.integration_tests import RetrieversIntegrationTests

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.multimodal import MediaCollection, MediaRetriever
from tests import recordings
from tests.helpers import fresh_name
from tests.unit import colours


class TestMediaRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return MediaRetriever

    @property
    def retriever_constructor_params(self):
        archive = MediaCollection.open(fresh_name(), recordings.embeddings())
        tones = [(recordings.tone(name, 1), recordings.RATE) for name in recordings.PITCHES]
        archive.add([*map(colours.picture, colours.COLOURS), *tones])
        return {"vectorstore": archive.store}

    @property
    def retriever_query_example(self):
        return "red and green"
