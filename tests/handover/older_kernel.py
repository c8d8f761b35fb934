"""Starts a command in which getsockopt() does not know SO_PEERPIDFD, as before Linux 6.5."""

import ctypes
import os
import platform
import struct
import sys

GETSOCKOPT, ARCH = {
    "x86_64": (55, 0xC000003E),
    "aarch64": (209, 0xC00000B7),
}[platform.machine()]
SO_PEERPIDFD = 77
ENOPROTOOPT = 92

# struct seccomp_data: the call's number at 0, the processor at 4, the arguments from 16 on.
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
program = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in [
        (LOAD, 0, 0, 4),
        (EQUAL, 0, 5, ARCH),
        (LOAD, 0, 0, 0),
        (EQUAL, 0, 3, GETSOCKOPT),
        (LOAD, 0, 0, 32),
        (EQUAL, 0, 1, SO_PEERPIDFD),
        (RETURN, 0, 0, ERRNO | ENOPROTOOPT),
        (RETURN, 0, 0, ALLOW),
    ]
)
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
    PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0
):
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
