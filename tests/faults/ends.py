"""Faults of a reload: how its process ends, how long it takes, what it leaves."""

from __future__ import annotations

from faults.fault import DAEMON, NO_ANSWER, OPEN, SHORT, TIMED_OUT, Fault

ENDS = {
    # how a process ends
    "exits": Fault("exits with status 3", "os._exit(3)", "in the step 'load': exit status 3"),
    "exits_with_success": Fault("exits with status 0", "os._exit(0)", NO_ANSWER),
    "aborts": Fault("aborts", "os.abort()", "signal 6 (SIGABRT)"),
    "aborts_with_a_trace": Fault(
        "aborts, and shows where", "os.abort()", "Fatal Python error: Aborted"
    ),
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
    "spends_its_seconds": Fault(
        "uses up its CPU time (RLIMIT_CPU)",
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
        "signal 24 (SIGXCPU)",
        is_quick=False,
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
    "raises_a_long_text": Fault(
        "raises an error of 10 MB", "raise RuntimeError('x' * 10 ** 7)", "xxx", "load error"
    ),
    # how long it takes
    "sleeps": Fault("sleeps", "time.sleep(1000)", TIMED_OUT, "timed out", options=SHORT),
    "shows_where_it_slept": Fault(
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
        "stops itself",
        "os.kill(os.getpid(), 19)",
        TIMED_OUT,
        "timed out",
        options=SHORT,
        is_quick=False,
    ),
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
}
