"""The studio while somebody writes: from the save of a template to the mail in the frame, in a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.turns import ROOT

MAIL, TEMPLATE = "welcome/best-of", Path("email_templates/welcome/best-of.html")
# The frame stands in a box of its own, which no script may look into: Playwright can, from outside.
TITLE = "The mail on a desktop, light"
FRAME = f'iframe[title="{TITLE}"]'
# When the frame was last loaded, ms since the epoch; to ask for its text takes Playwright up to half a second.
WATCH = """title => document.addEventListener(
    "load", event => { if (event.target.title === title) window.loaded = Date.now(); }, true)"""


def measure(*, quick: bool = False) -> list[Figure]:
    what = "from a save to the mail in the studio, starter programme"
    if shutil.which("chromium") is None:
        return [Figure(what, None, "ms", at_most=300, how="chromium is not installed")]
    from nurture.testing.browser import browsing

    with tempfile.TemporaryDirectory() as folder, browsing() as browser:
        project = Path(folder) / "shop"
        for part in ("campaigns", "email_templates"):
            shutil.copytree(ROOT / part, project / part)
        (project / ".env").touch()
        command = [sys.executable, "-m", "nurture", "dev", "--no-open", "--port", "0"]
        studio = subprocess.Popen(
            command, cwd=project, env={**os.environ, "NO_COLOR": "1"}, stderr=subprocess.PIPE, text=True
        )
        try:
            with browser.page() as page:
                page.goto(f"{_address(studio)}/mail/{MAIL}")
                page.wait_for_selector("#live.well")
                page.evaluate(WATCH, TITLE)
                text = (project / TEMPLATE).read_text(encoding="utf-8")
                taken = []
                for number in range(4 if quick else 21):
                    begun = 1000 * time.time()
                    (project / TEMPLATE).write_text(text.replace("</p>", f" take {number:03}</p>", 1), encoding="utf-8")
                    page.frame_locator(FRAME).get_by_text(f"take {number:03}").wait_for(state="attached")
                    taken.append(page.evaluate("window.loaded") - begun)
                    page.wait_for_timeout(200)
        finally:
            studio.terminate()
            studio.wait(20)
    taken = sorted(taken[1:])  # the first compiles the template's layout
    return [
        Figure(
            what, statistics.median(taken), "ms", at_most=300, against=f"worst of {len(taken)}: {taken[-1]:.0f} ms",
            how="wall clock in Chromium, from the write to the load of the frame that shows it",
        )
    ]  # fmt: skip


def _address(studio: subprocess.Popen[str]) -> str:
    assert studio.stderr is not None
    for line in studio.stderr:
        if found := re.search(r"http://\S+?/studio", line):
            return found[0]
    raise RuntimeError("nurture dev ended before it said where the studio is")
