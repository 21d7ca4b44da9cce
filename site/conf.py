"""How Sphinx makes the site out of what stage.py laid out; every warning is an error."""

import rnn_native

project = "rnn_native"
copyright = "the rnn_native authors"
version = release = rnn_native.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 6
myst_enable_extensions = ["attrs_block", "colon_fence", "html_image"]
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "DTypeLike")}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
add_module_names = False
highlight_language = "text"
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"rnn_native {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["plain"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0a5c9e", "color-brand-content": "#0a5c9e"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
}
