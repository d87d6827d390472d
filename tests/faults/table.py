"""The faults that are tried: what is injected, and what is to be said of it. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """Code that a model runs in one step of its round trip."""

    injected: str  # in words
    body: str
    says: str  # words that are to be found in the problems, the hint or the detail
    verdict: str = "crashed"
    step: str = "load"  # "import", "load", "observe", "save again", "save"
    options: Mapping[str, Any] = {}  # of the marker
    is_quick: bool = True  # the others are for `tox -e faults`


class Interpreter(NamedTuple):
    """An interpreter that has a fault of its own."""

    injected: str
    says: str
    verdict: str = "environment broken"
    command: str = ""  # what env(1) starts, which ends in "{python}"; "": that alone
    body: str = ""  # what its TensorFlow does as it is imported
    is_quick: bool = True


SHORT = {"timeout": 1}
OPEN = {"confinement": "off"}  # so that it reaches what is not its own
AGAIN = {"generations": 2}
DAEMON = "subprocess.Popen(['setsid', 'sleep', '31415']); "
PARENT = (
    "def parent(pid): return int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
)
TIMED_OUT = "the reload took more than 1 s, in the step 'load'; it was killed"
NO_ANSWER = "exit status 0, before it answered"

FAULTS = {
    # how a process ends
    "exits": Fault("exits with status 3", "os._exit(3)", "in the step 'load': exit status 3"),
    "exits_with_success": Fault("exits with status 0", "os._exit(0)", NO_ANSWER),
    "aborts": Fault("aborts", "os.abort()", "signal 6 (SIGABRT)"),
    "aborts_with_a_trace": Fault("aborts, and shows where", "os.abort()", "Fatal Python error: Aborted"),
    "reads_a_null_pointer": Fault(
        "reads through a null pointer", "ctypes.string_at(0)", "signal 11 (SIGSEGV)"
    ),
    "is_killed": Fault(
        "is killed, as by the system when memory is short",
        "os.kill(os.getpid(), 9)",
        "signal 9 (SIGKILL)",
    ),
    "is_asked_to_end": Fault(
        "is sent SIGTERM", "os.kill(os.getpid(), 15); time.sleep(1000)", "signal 15 (SIGTERM)"
    ),
    "sets_an_alarm": Fault(
        "is ended by its own alarm",
        "signal.setitimer(signal.ITIMER_REAL, 0.1); time.sleep(1000)",
        "signal 14 (SIGALRM)",
    ),
    "kills_its_group": Fault(
        "kills its process group", "os.killpg(0, 9)", "signal 9 (SIGKILL)", options=OPEN
    ),
    "exits_in_a_thread": Fault(
        "exits in a thread",
        "threading.Thread(target=os._exit, args=(6,)).start(); time.sleep(1000)",
        "exit status 6",
    ),
    # what it raises
    "raises_system_exit": Fault("raises SystemExit", "sys.exit(4)", "SystemExit: 4", "load error"),
    "raises_an_interrupt": Fault(
        "raises KeyboardInterrupt", "raise KeyboardInterrupt", "KeyboardInterrupt", "load error"
    ),
    "recurses": Fault(
        "recurses without end",
        "def f(): return f()\nf()",
        "RecursionError: maximum recursion depth exceeded",
        "load error",
    ),
    "raises_what_cannot_be_printed": Fault(
        "raises an error whose text cannot be made",
        "class Bad(Exception):\n    def __str__(self): raise ValueError('no text')\nraise Bad",
        "Bad: its text cannot be made",
        "load error",
    ),
    "raises_a_surrogate": Fault(
        "raises an error with a lone surrogate and an escape sequence",
        "raise RuntimeError('\\x1b[31mred \\udcff end')",
        "RuntimeError",
        "load error",
    ),
    # how long it takes
    "sleeps": Fault("sleeps", "time.sleep(1000)", TIMED_OUT, "timed out", options=SHORT),
    "tells_where_it_slept": Fault(
        "hangs below other functions",
        "def waits_for_a_lock(): time.sleep(1000)\nwaits_for_a_lock()",
        "in waits_for_a_lock",
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
    "loops": Fault(
        "loops", "while True: pass", TIMED_OUT, "timed out", options=SHORT, is_quick=False
    ),
    "loops_in_c": Fault(
        "loops in C, with Python's lock",
        "import re; re.match('(a+)+$', 'a' * 64 + 'b')",
        TIMED_OUT,
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
    "ignores_signals": Fault(
        "ignores every signal that can be ignored",
        "[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]; "
        "time.sleep(1000)",
        TIMED_OUT,
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
    "stops_itself": Fault(
        "stops itself", "os.kill(os.getpid(), 19)", TIMED_OUT, "timed out", options=SHORT,
        is_quick=False,
    ),  # fmt: skip
    "prints_more_than_is_kept": Fault(
        "prints 110 MB, of which no more than 100 MB stay on the disk",
        "os.write(1, bytes(110 * 10 ** 6))\n"
        "while os.fstat(1).st_size > 10 ** 8: time.sleep(0.01)\nraise RuntimeError('bounded')",
        "RuntimeError: bounded",
        "load error",
        options={"timeout": 60},
    ),
    "prints_endlessly": Fault(
        "prints without end",
        "while True: os.write(1, b'much of it\\n' * 10 ** 5)",
        TIMED_OUT,
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
    "hangs_with_a_daemon": Fault(
        "hangs, with a daemon in a session of its own",
        DAEMON + "time.sleep(1000)",
        TIMED_OUT,
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
    # what it leaves
    "leaves_a_daemon": Fault(
        "leaves a daemon in a session of its own", DAEMON + "os._exit(0)", NO_ANSWER
    ),
    "leaves_a_daemon_and_is_good": Fault(
        "is good, and leaves a daemon in a session of its own", DAEMON, "", "exact"
    ),
    "leaves_many": Fault(
        "leaves 50 children that ignore signals",
        "for _ in range(50):\n    if not os.fork():\n        signal.signal(15, signal.SIG_IGN)\n"
        "        os.setsid(); time.sleep(1000)\nos._exit(0)",
        NO_ANSWER,
    ),
    "leaves_a_thread": Fault(
        "is good, and leaves a thread that does not end",
        "threading.Thread(target=time.sleep, args=(1000,)).start()",
        "",
        "exact",
    ),
    "leaves_files": Fault(
        "leaves files in its temporary folder",
        "open('left', 'w').write('x' * 10 ** 6); os.symlink('/', 'link'); os._exit(0)",
        NO_ANSWER,
    ),
    "leaves_a_folder_that_is_closed": Fault(
        "leaves a folder that nobody may write",
        "os.mkdir('closed'); open('closed/left', 'w').close(); os.chmod('closed', 0); os._exit(0)",
        NO_ANSWER,
    ),
    # what it does to its own process
    "replaces_exit": Fault(
        "replaces os._exit",
        "os._exit = lambda status: None; raise RuntimeError('still told')",
        "still told",
        "load error",
    ),
    "replaces_open": Fault(
        "replaces open()", "import builtins; builtins.open = None; os._exit(5)", "exit status 5"
    ),
    "closes_its_descriptors": Fault(
        "closes all its files",
        "os.closerange(0, 1024); raise RuntimeError('closed')",
        "closed",
        "load error",
    ),
    "prints_much": Fault(
        "prints 10 MB, then raises",
        "os.write(1, b'much of it\\n' * 10 ** 6); raise RuntimeError('printed')",
        "RuntimeError: printed",
        "load error",
    ),
    "has_few_descriptors": Fault(
        "has no descriptors left",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); open('x', 'w')",
        "Too many open files",
    ),
    "has_little_memory": Fault(
        "asks for more than RLIMIT_AS",
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33)); bytearray(1 << 34)",
        "MemoryError",
        "load error",
    ),
    "takes_memory": Fault(
        "takes more memory than memory_limit",
        "b = bytearray(3 << 30); time.sleep(1000)",
        "beyond the memory limit",
        options={"memory_limit": "2GB"},
        is_quick=False,
    ),
    "takes_memory_in_a_child": Fault(
        "takes more memory than memory_limit, in a process of its own",
        "subprocess.run([sys.executable, '-c', "
        "'import time; b = bytearray(3 << 30); time.sleep(1000)'])",
        "beyond the memory limit",
        options={"memory_limit": "2GB"},
        is_quick=False,
    ),
    # what it does to its answer
    "answers_with_a_pipe": Fault(
        "replaces its answer by a pipe",
        "os.mkfifo(folder + '/answer'); os._exit(0)",
        "answer is no plain file",
        "bad answer",
    ),
    "answers_with_a_device": Fault(
        "replaces its answer by a link to an endless device",
        "os.symlink('/dev/zero', folder + '/answer'); os._exit(0)",
        "answer is a link",
        "bad answer",
    ),
    "answers_with_a_folder": Fault(
        "replaces its answer by a folder",
        "os.mkdir(folder + '/answer'); os._exit(0)",
        "answer is no plain file",
        "bad answer",
    ),
    "answers_with_noise": Fault(
        "replaces its answer by random bytes",
        "open(folder + '/answer', 'wb').write(os.urandom(1000)); os._exit(0)",
        "the clean interpreter wrote an answer that cannot be read",
        "bad answer",
    ),
    "answers_with_nothing": Fault(
        "writes an empty answer",
        "open(folder + '/answer', 'wb').close(); os._exit(0)",
        "the clean interpreter wrote an answer that cannot be read",
        "bad answer",
    ),
    "answers_with_too_much": Fault(
        "writes an answer of 32 GB, without using disk",
        "open(folder + '/answer', 'wb').truncate(1 << 35); os._exit(0)",
        "34359738368 bytes are too many",
        "bad answer",
    ),
    "prints_into_a_pipe": Fault(
        "replaces the file of what it prints by a pipe",
        "os.remove(folder + '/output'); os.mkfifo(folder + '/output'); os._exit(4)",
        "exit status 4",
    ),
    "hides_its_step": Fault(
        "replaces the file of its step by a pipe",
        "os.remove(folder + '/step'); os.mkfifo(folder + '/step'); os._exit(4)",
        "exit status 4",
    ),
    # what it does to others
    "removes_its_folder": Fault(
        "removes its folder", "shutil.rmtree(folder, ignore_errors=True); os._exit(5)", "exit status 5"
    ),
    "removes_the_scratch_folder": Fault(
        "removes the interpreter's folder",
        "shutil.rmtree(os.path.dirname(folder), ignore_errors=True); os._exit(5)",
        "exit status 5",
        options=OPEN,
    ),
    "kills_the_worker": Fault(
        "kills the interpreter",
        DAEMON + "os.kill(os.getppid(), 9); time.sleep(1000)",
        "it ended with signal 9 (SIGKILL)",
        "environment broken",
        options=OPEN,
    ),
    "kills_the_inner_supervisor": Fault(
        "kills the interpreter's supervisor",
        PARENT + DAEMON + "os.kill(parent(os.getppid()), 9); time.sleep(1000)",
        "it ended with signal 9 (SIGKILL)",
        "environment broken",
        options=OPEN,
    ),
    "kills_the_outer_supervisor": Fault(
        "kills the supervisor of that supervisor",
        PARENT + DAEMON + "os.kill(parent(parent(os.getppid())), 9); time.sleep(1000)",
        "it ended with signal 9 (SIGKILL)",
        "environment broken",
        options=OPEN,
    ),
    "kills_the_wrapper": Fault(
        "kills the supervisor of the test process's side",
        PARENT + DAEMON + "os.kill(parent(parent(parent(os.getppid()))), 9); time.sleep(1000)",
        "it ended, and what watched it as well",
        "environment broken",
        options=OPEN,
    ),
    "stops_the_worker": Fault(
        "stops the interpreter",
        DAEMON + "os.kill(os.getppid(), 19); time.sleep(1000)",
        "the end of the reload was waited for",
        "environment broken",
        options={**OPEN, **SHORT},
        is_quick=False,
    ),
    "stops_the_supervisors": Fault(
        "stops all three supervisors, and hangs",
        PARENT + "pid = os.getppid()\n"
        "for _ in range(3):\n    pid = parent(pid); os.kill(pid, 19)\ntime.sleep(1000)",
        TIMED_OUT,
        "timed out",
        options={**OPEN, **SHORT},
        is_quick=False,
    ),
    "stops_everything": Fault(
        "stops the interpreter and its supervisors",
        PARENT + "pid = os.getppid()\n"
        "for _ in range(4):\n    above = parent(pid); os.kill(pid, 19); pid = above\n",
        "the end of the reload was waited for",
        "environment broken",
        options={**OPEN, **SHORT},
        is_quick=False,
    ),
    # in the other steps
    "exits_in_an_import": Fault(
        "exits as a declared module is imported",
        "import os; os._exit(3)",
        "in the step 'import': exit status 3",
        step="import",
    ),
    "hangs_in_an_import": Fault(
        "hangs as a declared module is imported",
        "import time; time.sleep(1000)",
        "more than 1 s, in the step 'import'",
        "timed out",
        step="import",
        options=SHORT,
        is_quick=False,
    ),
    "exits_as_it_is_observed": Fault(
        "exits as it is called", "os._exit(3)", "in the step 'observe': exit status 3",
        step="observe",
    ),  # fmt: skip
    "raises_as_it_is_observed": Fault(
        "raises as it is called",
        "raise OSError(28, 'No space left on device')",
        "it was reloaded, but cannot be used as the original can",
        "differs",
        step="observe",
    ),
    "hangs_as_it_is_observed": Fault(
        "hangs as it is called",
        "time.sleep(1000)",
        "more than 1 s, in the step 'observe'",
        "timed out",
        step="observe",
        options=SHORT,
        is_quick=False,
    ),
    "exits_as_it_is_saved_again": Fault(
        "exits as it is saved again",
        "os._exit(3)",
        "in the step 'save again': exit status 3",
        step="save again",
        options=AGAIN,
    ),
    "raises_as_it_is_saved_again": Fault(
        "raises as it is saved again",
        "raise OSError(28, 'No space left on device')",
        "No space left on device",
        "load error",
        step="save again",
        options=AGAIN,
    ),
    "hangs_as_it_is_saved_again": Fault(
        "hangs as it is saved again",
        "time.sleep(1000)",
        "more than 1 s, in the step 'save again'",
        "timed out",
        step="save again",
        options={**AGAIN, **SHORT},
        is_quick=False,
    ),
    "raises_as_it_is_saved": Fault(
        "raises as it is saved",
        "raise RuntimeError('not saved')",
        "RuntimeError: not saved",
        "save error",
        step="save",
    ),
}
HANGS = "time.sleep(1000)"
INTERPRETERS = {
    "that_exits": Interpreter(
        "its TensorFlow exits", "it ended with exit status 3", body="os._exit(3)"
    ),
    "that_crashes": Interpreter(
        "its TensorFlow reads through a null pointer",
        "it ended with signal 11 (SIGSEGV)",
        body="ctypes.string_at(0)",
    ),
    "that_is_killed": Interpreter(
        "it is killed as it imports TensorFlow",
        "it ended with signal 9 (SIGKILL)",
        body="subprocess.Popen(['setsid', 'sleep', '31415']); os.kill(os.getpid(), 9)",
    ),
    "that_lacks_a_library": Interpreter(
        "its TensorFlow lacks a library",
        "libmissing.so: cannot open shared object file",
        body="ctypes.CDLL('libmissing.so')",
    ),
    "that_hangs_in_an_import": Interpreter(
        "its TensorFlow hangs as it is imported",
        "the end of its imports was waited for",
        body=HANGS,
        is_quick=False,
    ),
    "that_ignores_children": Interpreter(
        "its TensorFlow ignores SIGCHLD",
        "",
        "exact",
        body="signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    ),
    "started_ignoring_children": Interpreter(
        "what starts it ignores SIGCHLD",
        "",
        "exact",
        command="{python} {folder}/ignoring.py {python}",
    ),
    "with_few_descriptors": Interpreter(
        "it has no descriptors left",
        "Too many open files",
        body="resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    ),
    "without_processes": Interpreter(
        "it may start no more processes (RLIMIT_NPROC)",
        "Resource temporarily unavailable",
        command="{another_user} {python}",
        body="resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))",
    ),
    "with_little_memory": Interpreter(
        "it may have 100 MB (RLIMIT_AS)",
        "cannot be started",
        command="prlimit --as=100000000 {python}",
    ),
    "that_ends_at_once": Interpreter(
        "what starts it ends at once", "it ended with exit status 1", command="false {python}"
    ),
    "that_prints_first": Interpreter(
        "what starts it prints before it",
        "cannot be started",
        command="{python} {folder}/printing.py {python}",
    ),
    "that_never_answers": Interpreter(
        "what starts it never answers",
        "it did not answer for",
        command="{python} {folder}/sleeping.py {python}",
        is_quick=False,
    ),
    "whose_python_hangs": Interpreter(
        "its Python hangs in its first import",
        "it did not answer for",
        command="PYTHONPATH={folder}/hanging {python}",
        is_quick=False,
    ),
}
