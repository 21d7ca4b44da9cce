"""What a comparison shows: sections, each a module of ``sections``, as one HTML page and as
Markdown. A section is made of blocks (``blocks``) and knows neither of the two."""

from .html import LACKING, write_html
from .markdown import write_markdown

__all__ = ["LACKING", "write_html", "write_markdown"]
