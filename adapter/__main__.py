"""`python -m adapter`: the same as `sms-adapter`."""

from adapter.cli import main

if __name__ == "__main__":
    main()
