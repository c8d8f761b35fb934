# The script of a test: the server starts with its first client, ends when nobody is there, and
# starts again.

{ port }:

import ./hello.nix + ''
  unit = "nix-process-hello-world-server-${toString port}"
  test1.succeed(f"systemctl is-active {unit}.service")
  test1.wait_until_fails(f"systemctl is-active {unit}.service", timeout=90)
  test1.succeed(f"systemctl is-active {unit}.socket")
  test2.succeed(f"echo hello | {client} | grep 'Hello world!'")
''
