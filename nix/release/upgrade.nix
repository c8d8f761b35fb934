# The script of a test: while a client is connected, the server moves to the other machine. The
# deployment waits for that client, and another one waits for the deployment.

{ pkgs
  # The four executables.
, programs
, port
  # Manifests. The first one is deployed.
, before
, after
}:

let
  # Makes a profile of a manifest the current one. There is no Nix database that `disnix-set` needs.
  setProfile = pkgs.writeScript "set-profile" ''
    #!${pkgs.stdenv.shell} -e
    profile=$(${pkgs.libxml2.bin or pkgs.libxml2}/bin/xmllint \
      --xpath "/manifest/profiles/profile[@name='$1']/text()" "$2/manifest.xml")
    mkdir -p /nix/var/nix/profiles/disnix
    ln -sfn "$profile" /nix/var/nix/profiles/disnix/default
  '';
in
''
  # fmt: off
  client = "/nix/var/nix/profiles/disnix/default/bin/hello-world-client"
  proxyctl = "${programs}/bin/proxyctl --port ${toString port}"


  def set_profiles(manifest):
      test1.succeed(f"${setProfile} test1 {manifest}")
      test2.succeed(f"${setProfile} test2 {manifest}")


  set_profiles("${before}")

  with subtest("A client is connected"):
      test2.succeed(
          f"(echo hello; while [ ! -e /tmp/leave ]; do sleep 0.1; done) | {client} >/tmp/first 2>&1 &"
      )
      test2.wait_until_succeeds("grep 'Hello world!' /tmp/first", timeout=60)

  with subtest("The deployment waits for it"):
      test1.succeed(
          "(disnix-lock ${before}/manifest.xml; echo $? >/tmp/locked) >/tmp/lock.log 2>&1 &"
      )
      test1.wait_until_succeeds(
          f"{proxyctl} status --json | grep '\"state\":\"draining\"'", timeout=60
      )

  with subtest("A second client is queued"):
      test2.succeed(f"(echo hello | {client}; echo $? >/tmp/ended) >/tmp/second 2>&1 &")
      test1.wait_until_succeeds(f"{proxyctl} status --json | grep '\"queued\":1'", timeout=60)
      test1.fail("test -e /tmp/locked")
      test2.fail("grep 'Hello world!' /tmp/second")

  with subtest("The upgrade runs once the first client has left"):
      test2.succeed("touch /tmp/leave")
      test1.wait_until_succeeds("grep -x 0 /tmp/locked", timeout=60)
      test1.succeed("disnix-activate --no-upgrade -o ${before}/manifest.xml ${after}/manifest.xml")
      test2.fail("grep 'Hello world!' /tmp/second")
      set_profiles("${after}")
      test1.succeed("disnix-lock --unlock ${after}/manifest.xml")

  with subtest("The second client is served from the other machine"):
      test2.wait_until_succeeds("grep -x 0 /tmp/ended", timeout=60)
      test2.succeed("grep 'Hello world!' /tmp/second")
      test1.succeed(f"{proxyctl} status --json | grep '\"upstream\":\"test2:'")
      test1.wait_until_fails("pgrep hello-world-ser", timeout=60)
      test2.succeed("pgrep hello-world-ser")
  # fmt: on
''
