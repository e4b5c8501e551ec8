"""`python3 -m hub COMMAND`: from a bare checkout to the command line.

Standard library and old syntax only, like hub/bootstrap.py and hub/installer.py: any Python 3 must be able to read this
far, so that it can say that it is too old.
"""

import sys
from typing import List, Optional

from hub import bootstrap
from hub.installer import Refusal


def main(argv: Optional[List[str]] = None) -> int:
    """Runs one command and returns its exit code (0 done, 4 unreachable, 5 refused; the rest is the command's).

    In a checkout the environment is set up first, where it is missing; this process may then be replaced by one that
    runs in it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        bootstrap.ensure_environment(arguments)
        if arguments and arguments[0] in bootstrap.CHECKOUT_COMMANDS:
            bootstrap.run_checkout_command(arguments[0], arguments[1:])
    except Refusal as refusal:
        sys.stderr.write("{}\n".format(refusal))
        return refusal.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The next start goes on from here.\n")
        return 130

    from hub.cli.main import main as command_line

    return command_line(arguments) or 0


if __name__ == "__main__":
    sys.exit(main())
