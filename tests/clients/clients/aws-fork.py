"""The AWS command line, version 1 or 2, without its start-up: what it imports is imported once, and
every command is a fork of this process, with an environment and standard files of its own. Run by
the Python that the command line belongs to.

    aws-fork.py FOLDER

FOLDER has two FIFOs. From `ask` comes the id of a process that wants a command; its arguments and
its environment are in the files `arguments` and `environment`, each word ended by a zero byte. The
command uses that process's standard files. Its exit status goes to `answer`.
"""

import os
import sys
from pathlib import Path

given = set(os.environ)
import awscli.clidriver  # noqa: E402
import awscli.handlers  # noqa: E402,F401  imported by the first command otherwise

FOLDER = Path(sys.argv[1])
# What it sets for itself when it is imported.
OWN = {name: value for name, value in os.environ.items() if name not in given}


def words(name):
    return [os.fsdecode(word) for word in (FOLDER / name).read_bytes().split(b"\0")[:-1]]


def command(process):
    """One command, as `aws` would run it."""
    os.environ.clear()
    os.environ.update(OWN)
    os.environ.update(word.split("=", 1) for word in words("environment"))
    for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)):
        os.dup2(os.open(f"/proc/{process}/fd/{number}", mode), number)
    sys.argv = ["aws", *words("arguments")]
    return awscli.clidriver.main()


def fork(process):
    """The exit status of a command."""
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status if status >= 0 else 128 - status
    status = 255
    try:
        status = command(process)
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing of the parent's is to be tidied up by a child.
        os._exit(status if isinstance(status, int) else int(status is not None))


while True:
    with open(FOLDER / "ask") as asked:
        processes = asked.read().split()
    for process in processes:
        status = fork(process)
        (FOLDER / "answer").write_text(f"{status}\n")
