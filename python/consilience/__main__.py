"""``python -m consilience``: the command line."""

from consilience._command import main

main()
