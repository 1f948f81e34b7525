"""`python -m nurture` is `nurture`."""

from __future__ import annotations

from nurture.cli.main import main

if __name__ == "__main__":
    main()
