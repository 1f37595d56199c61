"""Files that something is the matter with, and some that are fine."""

from __future__ import annotations

import io
import zipfile

import pypdf

XSS = "<img src=x onerror=alert(1)>"
# What would be a picture from elsewhere, a link, a colour, a formula, an icon.
MARKDOWN = "![x](http://evil.example/a.png) [y](http://evil.example) :red[z] $a$ :material/home:"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(text: str = "", password: str = "") -> bytes:
    """A PDF of one page."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(300, 300)
    if text:
        stream = pypdf.generic.DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[pypdf.generic.NameObject("/Contents")] = writer._add_object(stream)
        font = pypdf.generic.DictionaryObject()
        for name, value in (("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Helvetica")):
            font[pypdf.generic.NameObject(f"/{name}")] = pypdf.generic.NameObject(f"/{value}")
        fonts = pypdf.generic.DictionaryObject({pypdf.generic.NameObject("/F1"): font})
        page[pypdf.generic.NameObject("/Resources")] = pypdf.generic.DictionaryObject(
            {pypdf.generic.NameObject("/Font"): fonts}
        )
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def docx(*paragraphs: str) -> bytes:
    """A Word file of some paragraphs."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        xml = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", xml)
    return target.getvalue()


# By name: the content, and words of what the app says of it.
BAD = {
    "broken.pdf": (b"%PDF-1.4 and no more", ""),
    "locked.pdf": (pdf("secret", "x"), "encrypted"),
    "scan.pdf": (pdf(), "OCR"),
    "broken.docx": (b"PK and no more", ""),
    "empty.txt": (b"", "no text"),
    "blank.md": (b" \n \n", "no text"),
    "bytes.txt": (b"\xff\xfe\xfa\x00\x80", ""),
    "latin.txt": ("Öl und Wasser".encode("latin-1"), "utf-8"),
    "program.exe": (b"MZ", "pdf"),
    "noending": (b"text", "pdf"),
    "broken.jsonl": (b'{"text": "a"}\n{"text": ', ""),
    "other.jsonl": (b"[1, 2]", "line 1"),
}
FINE = {
    "a.txt": b"Heron 4711 is a bird of the lake.",
    "b.md": b"# Birds\n\nHeron 4711 eats fish.",
    "c.html": b"<title>t</title><p>Heron 4711 stands</p><script>var hidden</script>",
    "d.csv": b"bird,place\nHeron 4711,river\n",
    "e.jsonl": b'{"text": "Heron 4711 flies", "metadata": {"year": 2024}}\n',
    "f.pdf": pdf("Heron 4711 sleeps"),
    "g.docx": docx("Heron 4711", "It waits."),
}
