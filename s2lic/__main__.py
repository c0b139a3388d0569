"""`python -m s2lic` is the same as `s2lic`."""

from s2lic.cli import main

if __name__ == "__main__":
    main()
