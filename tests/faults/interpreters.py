"""Faults of an interpreter, before it reloads anything."""

from __future__ import annotations

from faults.fault import LINE, Interpreter

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
        "the end of its imports did not arrive within",
        body=HANGS,
        is_quick=False,
    ),
    "that_ignores_children": Interpreter(
        "its TensorFlow ignores SIGCHLD",
        "",
        "exact",
        body="signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    ),
    "that_stops": Interpreter(
        "its TensorFlow stops it",
        "the end of its imports did not arrive within",
        body="os.kill(os.getpid(), 19)",
        is_quick=False,
    ),
    "that_ignores_signals": Interpreter(
        "its TensorFlow ignores every signal that can be ignored",
        "",
        "exact",
        body="[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 17, 19)]",
    ),
    "that_leaves_a_thread": Interpreter(
        "its TensorFlow leaves a thread that does not end",
        "",
        "exact",
        body="threading.Thread(target=time.sleep, args=(1000,)).start()",
    ),
    "that_closes_its_files": Interpreter(
        "its TensorFlow closes all its files",
        "gave no answer: it ended",
        body="os.closerange(0, 1024)",
    ),
    "that_prints_more_than_is_kept": Interpreter(
        "its TensorFlow prints 110 MB, of which no more than 100 MB stay on the disk",
        "",
        "exact",
        body="os.write(2, bytes(110 * 10 ** 6))\n"
        "while os.fstat(2).st_size > 10 ** 8: time.sleep(0.01)",
    ),
    "that_prints_endlessly": Interpreter(
        "its TensorFlow prints without end",
        "the end of its imports did not arrive within",
        body="while True: os.write(2, b'much of it\\n' * 10 ** 5); time.sleep(0.01)",
        is_quick=False,
    ),
    "that_writes_into_the_line": Interpreter(
        "its TensorFlow writes what is no message into the connection",
        "it sent bytes that are not a message",
        "bad answer",
        body="process = '/proc/self'\n" + LINE + "os.write(line, b'much of it\\n' * 100)",
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
    "that_cannot_be_asked": Interpreter(
        "what starts it ignores that it is asked to end, and its TensorFlow hangs",
        "the end of its imports did not arrive within",
        command="{python} {folder}/deaf.py {python}",
        body=HANGS,
        is_quick=False,
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
