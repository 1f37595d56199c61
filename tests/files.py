"""Files as people have them: small, and broken in the ways that files are broken."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page; none for an empty one."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R"
            f" >> >> /Contents {5 + 2 * n} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


def encrypted_pdf(password: str) -> bytes:
    """A PDF that opens by a password; by an empty one, readers do not ask."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Secret pump"))))
    writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def docx(body: str, *, before: str = "", part: str = "word/document.xml") -> bytes:
    """A Word file of that XML in its body."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
        archive.writestr(part, f'<?xml version="1.0"?>{before}{document}')
    return out.getvalue()


def paragraph(text: str) -> str:
    """A paragraph of Word's."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


BOMB = '<!DOCTYPE w [<!ENTITY a "pump"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BROKEN = {
    "empty.pdf": (pdf(""), "no text in it; scanned pages need OCR first"),
    "locked.pdf": (encrypted_pdf, "encrypted: it opens by a password only"),
    "broken.pdf": (b"%PDF-1.4 nothing", "a broken PDF"),
    "no.pdf": (b"", "a broken PDF"),
    "cut.pdf": (pdf("The pump")[:120], "a broken PDF"),
    "empty.txt": (b" \n\n ", "no text in it"),
    "binary.txt": (b"PK\x03\x04\x00\x00pump", "binary data, not text"),
    "latin.txt": ("Zubehör".encode("latin-1"), "not text in utf-8: name its encoding"),
    "latin.md": ("# Zubehör".encode("latin-1"), "not text in utf-8"),
    "binary.html": (b"<p>pump\x00</p>", "binary data, not text"),
    "empty.html": (b"<script>pump()</script>", "no text in it"),
    "broken.docx": (b"no archive", "a broken .docx"),
    "old.docx": (b"\xd0\xcf\x11\xe0 old", "encrypted, or an old .doc"),
    "other.docx": (docx(paragraph("a"), part="word/other.xml"), "no word/document.xml in it"),
    "xml.docx": (docx("<w:p>"), "a broken .docx"),
    "bomb.docx": (docx(paragraph("&b;"), before=BOMB), "a document type of its own"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells, where the first line has 2"),
    "short.csv": (b"a,b\n1\n", "line 2: 1 cells, where the first line has 2"),
    "quoted.csv": (b'a,b\n"1"x,2\n', "line 2: "),
    "unnamed.csv": (b"a,\n1,2\n", "line 1: column 2 has no name"),
    "twice.csv": (b"a,a\n1,2\n", "line 1: several columns are called 'a'"),
    "head.csv": (b"a,b\n", "no text in it"),
    "binary.csv": (b"a,b\n\x00,2\n", "binary data, not text"),
    "line.jsonl": (b'{"text": "a"}\n\n{"text": }\n', "line 3: not JSON"),
    "list.jsonl": (b'["text"]\n', "line 1: not a JSON object"),
    "twice.jsonl": (
        b'{"id": "a", "text": "1"}\n{"id": "b", "text": "2"}\n{"id": "a", "text": "3"}\n',
        "line 3: the id 'a' is that of line 1",
    ),
    "nothing.jsonl": (b'{"id": "a"}\n', "line 1: neither text nor embedding"),
    "nested.jsonl": (b'{"text": "a", "metadata": {"k": {"l": 1}}}\n', "line 1: metadata['k']"),
    "number.jsonl": (b'{"text": 1}\n', "line 1: text: expected a string"),
    "id.jsonl": (b'{"id": 1, "text": "a"}\n', "line 1: id: expected a non-empty string"),
    "nan.jsonl": (b'{"text": "a", "metadata": {"k": NaN}}\n', "line 1: NaN is no number of JSON"),
    "huge.jsonl": (b'{"text": "a", "n": 99999999999999999999}\n', "line 1: metadata['n']"),
    "deep.jsonl": (b"[" * 100_000, "line 1: not JSON"),
    "vector.jsonl": (b'{"embedding": ["a"]}\n', "line 1: embedding: expected a list of numbers"),
    "lengths.jsonl": (
        b'{"embedding": [1, 2]}\n{"embedding": [1, 2, 3]}\n',
        "line 2: embedding: of another length",
    ),
    "both.jsonl": (b'{"text": "a", "document": "b"}\n', "line 1: text and document mean the same"),
    "surrogate.jsonl": (b'{"text": "\\ud800"}\n', "line 1: text: expected text that UTF-8"),
    "empty.jsonl": (b"\n", "no text in it"),
    "what.xyz": (b"pump", "of a kind that is not read"),
    "none": (b"pump", "of a kind that is not read"),
}
"""By name: what is in the file (or what makes it, given a password), and what is said of it."""


def write_broken(folder: Path, name: str) -> Path:
    """One of them."""
    content = BROKEN[name][0]
    file = folder / name
    file.write_bytes(content("open sesame") if callable(content) else content)
    return file
