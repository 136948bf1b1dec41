"""How Sphinx builds these pages to a site (`just docs`): Markdown as it stands, nothing fetched, no font or script from outside."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent / "src/samebits/__init__.py"

project = "samebits"
version = "".join(re.findall(r'__version__ = "(.+)"', _PACKAGE.read_text(encoding="utf-8")))
html_title = f"samebits {version}"
html_theme = "furo"
html_static_path, html_css_files = ["_static"], ["narrow.css"]
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["notebooks/**"]  # run by a test, and read in Jupyter
html_copy_source = False
html_show_copyright = False
html_show_sourcelink = False
smartquotes = False  # quotes stand in commands and keys
myst_heading_anchors = 4  # a heading's address is the one that GitHub gives it
