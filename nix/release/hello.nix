# The script of a test: the client of the profile reaches the server.

''
  client = "hello-world-client"
  test2.wait_until_succeeds(f"echo hello | {client} | grep 'Hello world!'", timeout=60)
''
