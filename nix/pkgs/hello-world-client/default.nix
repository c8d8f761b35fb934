# The client, which knows the server of this deployment: `hello-world-client` in a profile talks to
# it. An argument, or $HELLO_WORLD_SERVER, names another.

{ stdenv, runCommand, writeScript, programs }:

{ hello_world_server }:

let
  client = writeScript "hello-world-client" ''
    #!${stdenv.shell}
    export HELLO_WORLD_SERVER=''${HELLO_WORLD_SERVER:-${import ../address-of.nix hello_world_server}}
    exec ${programs}/bin/hello-world-client "$@"
  '';
in
runCommand "hello-world-client" { } ''
  mkdir -p $out/bin
  cp ${client} $out/bin/hello-world-client
''
