"""Faults of a reload: what it does to itself, its answer and others, and in which step."""

from __future__ import annotations

from faults.fault import ABOVE, AGAIN, DAEMON, LINE, OPEN, PARENT, SHORT, TIMED_OUT, Fault

ATTACKS = {
    # what it does to its own process
    "replaces_exit": Fault(
        "replaces os._exit",
        "os._exit = lambda status: None; raise RuntimeError('still reported')",
        "still reported",
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
    "aborts_for_lack_of_memory": Fault(
        "aborts in C, for lack of memory (RLIMIT_AS)",
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33)); "
        "malloc = ctypes.CDLL(None).malloc; malloc.restype = ctypes.c_void_p; "
        "malloc(ctypes.c_size_t(1 << 34)) or os.abort()",
        "signal 6 (SIGABRT)",
    ),
    "writes_large_files": Fault(
        "writes more than RLIMIT_FSIZE",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10 ** 5, 10 ** 5)); "
        "open('x', 'wb').write(bytes(10 ** 6))",
        "File too large",
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
    "answers_and_hangs": Fault(
        "writes an answer that nothing was seen, and hangs",
        "from pytest_modelroundtrip.portable import protocol; "
        "answer = protocol.Reloaded({}, {}, observation={'': {}}); "
        "open(folder + '/answer', 'wb').write(protocol.encode_record(answer)); time.sleep(1000)",
        TIMED_OUT,
        "timed out",
        options=SHORT,
    ),
    "nests_folders": Fault(
        "makes 2000 folders, each in the one before",
        "[(os.mkdir('a'), os.chdir('a')) for _ in range(2000)]; os._exit(6)",
        "exit status 6",
    ),
    "answers_with_a_pipe": Fault(
        "replaces its answer by a pipe",
        "os.mkfifo(folder + '/answer'); os._exit(0)",
        "answer is not a plain file",
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
        "answer is not a plain file",
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
    "answers_with_a_half": Fault(
        "writes an answer without its end",
        "from pytest_modelroundtrip.portable import protocol; "
        "answer = protocol.encode_record(protocol.Reloaded({}, {}, observation={'': {}})); "
        "open(folder + '/answer', 'wb').write(answer[:-9]); os._exit(0)",
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
        "removes its folder",
        "shutil.rmtree(folder, ignore_errors=True); os._exit(5)",
        "exit status 5",
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
        "it ended, and its supervisor as well",
        "environment broken",
        options=OPEN,
    ),
    "stops_the_worker": Fault(
        "stops the interpreter",
        DAEMON + "os.kill(os.getppid(), 19); time.sleep(1000)",
        "the end of the reload did not arrive within",
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
        "the end of the reload did not arrive within",
        "environment broken",
        options={**OPEN, **SHORT},
        is_quick=False,
    ),
    "links_its_folder_elsewhere": Fault(
        "replaces its folder by a link to the root of all",
        "shutil.rmtree(folder); os.symlink('/', folder); os._exit(5)",
        "exit status 5",
        options=OPEN,
    ),
    "writes_into_the_line": Fault(
        "writes what is no message into the interpreter's connection",
        ABOVE + LINE + "os.write(line, b'much of it\\n' * 100); time.sleep(1000)",
        "it sent bytes that are not a message: b'much of i'",
        "bad answer",
        options=OPEN,
    ),
    "announces_a_message": Fault(
        "announces a message of 2 GB in the interpreter's connection",
        ABOVE + LINE + "os.write(line, struct.pack('!bii', 4, 1, 2 ** 31 - 1)); time.sleep(1000)",
        "it sent bytes that are not a message",
        "bad answer",
        options=OPEN,
    ),
    "floods_the_line": Fault(
        "writes messages without end into the interpreter's connection",
        ABOVE + LINE + "data = bytes(1 << 20)\n"
        "body = b'A' + struct.pack('!i', len(data)) + data + b'Q'\n"
        "while True: os.write(line, struct.pack('!bii', 4, 1, len(body)) + body)",
        "int is expected, not bytes",
        "bad answer",
        options=OPEN,
    ),
    "sends_code": Fault(
        "asks the test process, through the interpreter's connection, to run code",
        ABOVE + LINE + "code = b'import os; os._exit(9)'\n"
        "os.write(line, struct.pack('!bii', 3, 1, len(code)) + code); time.sleep(1000)",
        "it sent bytes that are not a message",
        "bad answer",
        options=OPEN,
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
        "more than 3 s, in the step 'import'",
        "timed out",
        step="import",
        options=SHORT,
        is_quick=False,
    ),
    "exits_as_it_is_observed": Fault(
        "exits as it is called",
        "os._exit(3)",
        "in the step 'observe': exit status 3",
        step="observe",
    ),
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
        "more than 3 s, in the step 'observe'",
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
        "system error",
        step="save again",
        options=AGAIN,
    ),
    "hangs_as_it_is_saved_again": Fault(
        "hangs as it is saved again",
        "time.sleep(1000)",
        "more than 3 s, in the step 'save again'",
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
    "raises_a_long_text_as_it_is_saved": Fault(
        "raises an error of 10 MB as it is saved",
        "raise RuntimeError('x' * 10 ** 7)",
        "xxx",
        "save error",
        step="save",
    ),
}
