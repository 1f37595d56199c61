"""Both apps in a real Chromium: what people see, what they may drop in, and that nothing leaves.

SCREENSHOTS=docs/images keeps the pictures for the docs; `make screenshots` does so.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.apps.bad_files import BAD, MARKDOWN
from tests.apps.conftest import EXAMPLES
from tests.pictures import DATA, PICTURES

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]
XSS = '<img src=x onerror="window.hacked=1">'
FLAGS = (
    "headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1200,1000",
    "hide-scrollbars", "disable-background-networking", "disable-component-update",
    "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Page:
    """An app in the browser, by what people see."""

    def __init__(self, driver, server, home):
        self.driver, self.server, self.home = driver, server, home

    def until(self, condition, seconds=90):
        # Streamlit draws anew what was found a moment ago.
        wait = WebDriverWait(self.driver, seconds, 0.2, [StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def all(self, selector, text=""):
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if text in element.text]

    def one(self, selector, text=""):
        return self.until(lambda: next(iter(self.all(selector, text)), None))

    def see(self, text):
        self.until(lambda: text in self.text)

    @property
    def text(self):
        return self.driver.execute_script("return document.body.innerText")

    def click(self, selector, text=""):
        self.until(self.settled)
        script = "arguments[0].click(); return true"
        self.until(lambda: self.driver.execute_script(script, self.one(selector, text)))

    def upload(self, *paths):
        self.until(self.settled)
        chosen = "\n".join(map(str, paths))
        self.until(lambda: self.all("input[type=file]")[0].send_keys(chosen) or True)

    def ask(self, question):
        before = len(self.all("[data-testid=stChatMessage]"))
        self.one("[data-testid=stChatInputTextArea]").send_keys(question, Keys.ENTER)
        self.until(lambda: len(self.all("[data-testid=stChatMessage]")) == before + 2)
        return self.until(lambda: self.settled() and self.all("[data-testid=stChatMessage]")[-1])

    def settled(self):
        state = "[data-testid=stApp][data-test-script-state=notRunning]"
        return bool(self.all(state)) and self.driver.execute_script(
            "return [...document.images].every(each => each.complete && each.naturalWidth)"
        )

    def shot(self, name):
        """A small picture of what is seen now."""
        self.until(self.settled)
        self.driver.execute_script("document.querySelector('h2').scrollIntoView()")
        time.sleep(1)  # until what moves has come to rest
        image = Image.open(io.BytesIO(self.driver.get_screenshot_as_png()))
        folder = Path(os.environ.get("SCREENSHOTS", self.home))
        folder.mkdir(parents=True, exist_ok=True)
        image.convert("RGB").quantize(128).save(folder / name, optimize=True)
        assert (folder / name).stat().st_size < 150_000

    def hosts(self):
        """Whom the browser has asked for anything, sockets included."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            said = message["params"]
            url = said.get("request", {}).get("url") or said.get("url", "")
            found.add(urlsplit(url).hostname)
        return found - {None}

    def hacked(self):
        return self.driver.execute_script("return window.hacked")

    def peak(self):
        """Most memory that the server ever had, in bytes."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(driver, tmp_path):
    """Start an app and open it; afterwards nobody may have asked for anything elsewhere."""

    @contextmanager
    def running(name, **environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        script, refused = EXAMPLES / name / "app.py", tmp_path / "refused"
        command = [sys.executable, "-m", "tests.apps.guard", refused, "run", script]
        log = (tmp_path / "server.log").open("wb")
        server = subprocess.Popen(
            [*map(str, command), "--server.port", str(port)],
            cwd=EXAMPLES.parent,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            page = Page(driver, server, tmp_path)
            page.until(lambda: reached(port))
            driver.get_log("performance")
            driver.get(f"http://127.0.0.1:{port}")
            yield page
            assert page.hosts() == {"127.0.0.1"}
            assert page.hacked() is None
            assert not refused.exists(), refused.read_text()
        finally:
            server.terminate()
            server.wait(30)
            log.close()

    return running


def reached(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_documents_are_asked(opened, tmp_path):
    with opened("qa_app", QA_FOLDER=str(tmp_path / "qa")) as page:
        page.upload(*sorted((EXAMPLES / "qa_app" / "sample").iterdir()))
        page.see("4 files read")
        page.ask("What does E-4012 mean?")
        page.see("the filter is clogged")
        page.click(".answer a", "[1]")
        page.see("There is sand in the well")
        assert "E-4012" in [mark.text for mark in page.all("mark")]
        page.click("summary", "How these were found")
        page.one("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
        page.shot("qa_app.png")
        page.ask("Who won the world cup in 1998?")
        page.see("That is not in your documents")


def test_hostile_and_broken_files_in_the_browser(opened, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    for name, (content, _) in BAD.items():
        (files / name).write_bytes(content)
    evil = f"{XSS} {MARKDOWN}"
    (files / f"{XSS}.txt").write_text(f"Heron 4711 {evil}")
    (files / f"{XSS}.pdf").write_text("no PDF")
    cell = evil.replace('"', '""')
    (files / "t.csv").write_text(f'bird,"{cell}"\nHeron 4711,"{cell}"\nStork 4712,other\n')
    answer = f"{evil} <script>window.hacked=1</script> [1] FAIL"
    model = {"CHAT_MODEL": evil, "FAKE_ANSWER": answer}
    with opened("qa_app", QA_FOLDER=str(tmp_path / "qa"), **model) as page:
        page.upload(*sorted(files.iterdir()))
        page.see("2 files read")
        assert len(page.all("[data-testid=stAlert]")) == len(BAD) + 2
        page.ask(f"Heron 4711 {evil}")
        page.see("The chat model failed: the line is dead")
        page.until(page.settled)
        page.driver.execute_script("document.querySelectorAll('summary').forEach(s => s.click())")
        time.sleep(2)
        assert not page.all("img[src='x'], img[src*=evil]")
        assert XSS in page.text
        page.ask("Stork 4712")


def test_an_answer_comes_word_by_word(opened, tmp_path):
    words = " ".join(f"word{n}" for n in range(40))
    model = {"CHAT_MODEL": "some:model", "FAKE_ANSWER": words}
    with opened("qa_app", QA_FOLDER=str(tmp_path / "qa"), **model) as page:
        page.click("button", "Try it with")
        page.see("4 files read")
        page.one("[data-testid=stChatInputTextArea]").send_keys("E-4012", Keys.ENTER)
        page.see("word3")
        assert "word39" not in page.text
        page.see("word39")


def test_two_hundred_megabytes(opened, tmp_path):
    big, bigger = tmp_path / "big.txt", tmp_path / "bigger.txt"
    for path, size in ((big, 200_000_000), (bigger, 220_000_000)):
        with path.open("wb") as file:
            for _ in range(size // 1_000_000):
                file.write(b"Heron 4711 \n" * 83_333 + b"abcd")
    with opened("qa_app", QA_FOLDER=str(tmp_path / "qa")) as page:
        page.one("input[type=file]")
        before = page.peak()
        page.upload(big)
        page.see("200 MB, at most 50 MB are read")
        page.upload(bigger)
        page.see("200.0MB or smaller")
        assert page.peak() - before < 3 * 200_000_000
        page.upload(EXAMPLES / "qa_app" / "sample" / "warranty.txt")
        page.see("1 file read")


def test_pictures_are_found(opened, tmp_path):
    database = {"IMAGES_DB": str(tmp_path / "db"), "CLIP_MODEL": str(DATA / "tiny-clip")}
    folder = PICTURES.relative_to(EXAMPLES.parent)
    with opened("image_search", IMAGES_FOLDER=str(folder), **database) as page:
        page.click("button", "Look through it")
        page.see("287 new")
        page.one("input[aria-label=Words]").send_keys("a cat", Keys.ENTER)
        page.see("words #1")
        page.until(page.settled)
        assert page.one(".said").text.startswith("cat.png")
        page.shot("image_search.png")
        page.upload(PICTURES / "train.png")
        page.see("Weight of the picture")
        page.click("button", "More like this")
        page.see("Without this picture")
        page.until(lambda: "words" not in page.one(".said").text)


def test_hostile_pictures_in_the_browser(opened, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(PICTURES / "cat.png", folder / f"{XSS}.png")
    (folder / f"b{XSS}.png").write_text("no picture")
    caption = {"file": f"{XSS}.png", "caption": f"{XSS} {MARKDOWN}"}
    (folder / "captions.jsonl").write_text(json.dumps(caption))
    database = {"IMAGES_DB": str(tmp_path / "db"), "CLIP_MODEL": str(DATA / "tiny-clip")}
    with opened("image_search", IMAGES_FOLDER=str(folder), **database) as page:
        page.click("button", "Look through it")
        page.see("1 could not be read")
        page.click("summary", "1 could not be read")
        page.see(XSS)
        page.one("input[aria-label=Words]").send_keys("a cat", Keys.ENTER)
        page.see("found by")
        time.sleep(2)
        assert not page.all("img[src='x'], img[src*=evil]")
