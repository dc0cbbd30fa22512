"""The `ogel` command, and `python -m ogel`."""

from ogel import interrupts


def main() -> None:
    interrupts.end_us()
    from ogel.cli import main as run

    run()


if __name__ == "__main__":
    main()
