"""`python -m corridor_cli` is `vlmtl`."""

from corridor_cli.cli.main import main

if __name__ == "__main__":
    main()
