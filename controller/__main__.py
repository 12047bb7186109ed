"""python -m controller: the same as `roomctl`."""

from controller.cli import main

if __name__ == "__main__":
    main()
