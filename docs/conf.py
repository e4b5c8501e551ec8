"""Settings of the documentation: `python -m sphinx -W -b html docs docs/_build/html`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from hub import __version__

project = "Order Hub"
author = "The Order Hub maintainers"
project_copyright = "2026, The Order Hub maintainers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autosectionlabel", "sphinxcontrib.mermaid"]
autosectionlabel_prefix_document = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]  # the same fence is drawn where a repository is browsed
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"Order Hub {__version__}"
html_show_sourcelink = False
