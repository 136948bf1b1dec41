"""The page as it is read: in a real Chromium, as wide as a telephone and as a desk, by day and by night, and on paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from told_runs import TASKS, make_account, make_predictions, make_run

from samebits.report.making import fill_page, make_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
# A frame as wide as the screen: a window is never narrower than 500 px. Contrast by WCAG 2.1, of each text with what is painted behind it.
MEASURE = """<!doctype html><html><body style="margin:0"><iframe id="page" src="page.html" style="border:0;width:%dpx;height:844px"></iframe>
<script>
addEventListener("load", () => {
  const page = document.getElementById("page").contentDocument, view = page.defaultView, found = {};
  const light = c => { const v = c.map(x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126*v[0] + 0.7152*v[1] + 0.0722*v[2]; };
  const read = c => c.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = read(view.getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  found.width = page.documentElement.scrollWidth;
  found.last = Math.max(...["q-what", "q-good", "q-trust", "q-again"].map(id => page.getElementById(id).parentElement.getBoundingClientRect().bottom));
  found.contrast = Math.min(...[...page.querySelectorAll("p,li,td,th,dt,dd,h1,h2,h3,figcaption,code,span,caption")].filter(e => e.textContent.trim() && !e.closest("svg")).map(e => {
    const pair = [light(read(view.getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a); return (pair[0] + 0.05) / (pair[1] + 0.05); }));
  found.lines = Math.max(...[...page.querySelectorAll("td.side")].map(e => { const r = page.createRange(); r.selectNodeContents(e); return r.getClientRects().length; }));
  found.sideways = [...page.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute("aria-label"));
  found.shaded = [...page.querySelectorAll(".scroll")].every(e => view.getComputedStyle(e).backgroundImage.split("linear-gradient").length == 5);
  const figures = [...page.querySelectorAll(".gallery > figure")].map(e => e.getBoundingClientRect());
  const right = Math.max(...figures.map(e => e.right)), bottom = Math.max(...figures.map(e => e.bottom)), last = figures.at(-1);
  found.hole = Math.abs(right - last.right) + Math.abs(bottom - last.bottom) + Math.abs(figures[0].left - (figures.length %% 2 ? last : figures.at(-2)).left);
  found.dark = view.matchMedia("(prefers-color-scheme: dark)").matches;
  const out = document.createElement("pre"); out.id = "found"; out.textContent = JSON.stringify(found); document.body.append(out);
});
</script></body></html>"""


def browse(folder: Path, *words: str) -> str:
    command = [
        str(CHROMIUM),
        "--headless=new",
        "--hide-scrollbars",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}/profile",
    ]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=5000", *words]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def measure(page: bytes, folder: Path, width: int, *words: str) -> dict[str, Any]:
    (folder / "page.html").write_bytes(page)
    (folder / "measure.html").write_text(MEASURE % width, encoding="utf-8")
    dom = browse(folder, "--window-size=1500,1000", *words, "--dump-dom", (folder / "measure.html").as_uri())
    found = re.search(r'<pre id="found">(.*?)</pre>', dom)
    assert found is not None, dom[-2000:]
    return dict(json.loads(found[1]))


def make_page(task: str) -> bytes:
    account = make_account(task)
    tags = {"level": "L2 repeatable", "verdict": "IDENTICAL", "verdict_time": "2026-12-01"}
    return fill_page(make_report(account).page, make_run(account, tags=tags, proofs=["Made again"], looks="the best of 7 runs"))


@pytest.mark.parametrize("task", TASKS)
def test_a_telephone_shows_all_of_a_page_without_moving_it_sideways(task: str, tmp_path: Path) -> None:
    found = measure(make_page(task), tmp_path, 390)

    assert found["width"] == 390
    assert found["last"] <= 844  # the four questions are answered on its first screen
    assert found["contrast"] >= 4.5
    assert found["lines"] == 1
    assert found["sideways"] == []
    assert found["shaded"]  # where a table goes on, its edge is


def test_long_names_move_no_page_sideways(tmp_path: Path) -> None:
    word = "a_name_without_end_" * 12
    table = make_predictions("binary").replace({"yes": word})
    config = {
        "data": {"target": word, "positive": word},
        "models": {word: {"class": word}},
        "report": {"question": word, "source": word},
    }
    account = make_account("binary", table, config, remarks=(word,))
    account.baseline["columns"][word] = {"kind": "categorical", "n_missing": 0, "counts": {word: 3}}
    account.assessment["groups"][word] = [{"value": word, "n_rows": 1, "metrics": {}}]

    assert measure(fill_page(make_report(account).page, make_run(account)), tmp_path, 390)["width"] == 390


def test_a_desk_shows_the_answers_first_and_a_dark_page_is_as_readable(tmp_path: Path) -> None:
    page = make_page("binary")

    by_day, by_night = (measure(page, tmp_path, 1400, *words) for words in ([], ["--blink-settings=preferredColorScheme=0"]))

    assert by_day["width"] == by_night["width"] == 1400 and by_day["last"] <= 844
    assert by_day["contrast"] >= 4.5
    assert by_night["dark"] and by_night["contrast"] >= 4.5


@pytest.mark.parametrize("task", TASKS)
def test_pictures_fill_their_place_whatever_their_number(task: str, tmp_path: Path) -> None:
    found = measure(make_page(task), tmp_path, 1400)

    assert found["hole"] == pytest.approx(0, abs=1)
    assert found["lines"] == 1


def test_a_page_is_printed_on_a4(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(make_page("multiclass"))

    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/page.pdf", (tmp_path / "page.html").as_uri())

    content = (tmp_path / "page.pdf").read_bytes()
    boxes = {
        (round(float(width)), round(float(height))) for width, height in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    }
    assert boxes and all(abs(width - 595) <= 1 and abs(height - 842) <= 1 for width, height in boxes)
