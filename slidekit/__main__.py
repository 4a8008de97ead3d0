"""``python -m slidekit``: the command line."""

from __future__ import annotations

from slidekit.cli import main

if __name__ == "__main__":
    main()
