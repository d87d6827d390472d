"""Faults of an interpreter, before it reloads anything."""

from __future__ import annotations

from faults.fault import Interpreter

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
        "the end of its imports did not come within",
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
        "system error",
        body="resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    ),
    "without_processes": Interpreter(
        "it may start no more processes (RLIMIT_NPROC)",
        "Resource temporarily unavailable",
        command="{another_user} {python}",
        body="resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))",
    ),
    "with_little_memory": Interpreter(
        "its TensorFlow needs more memory than it may have (RLIMIT_AS)",
        "tensorflow: MemoryError",
        command="prlimit --as=4000000000 {python}",
        body="bytearray(1 << 33)",
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
