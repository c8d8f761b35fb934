{ lib, coreutils, createManagedProcess, programs, forceDisableUserChange }:

{ port
  # Whether systemd holds the port, and starts the server for its first client.
, enableSystemdSocketActivation ? false
  # How long it then stays when no client is there.
, exitWhenIdle ? "30s"
  # How long an earlier version may take to let go of the port.
, portTimeout ? "10s"
}:

let
  instanceName = "hello-world-server-${toString port}";

  # Dysnomia would not notice that the server cannot start, and the earlier version would go on.
  awaitPort = ''
    left=${toString (import ../seconds-of.nix portTimeout * 10)}
    while (exec 3<>/dev/tcp/127.0.0.1/${toString port}) 2>/dev/null; do
      if [ "$left" = 0 ]; then
        echo "${instanceName}: port ${toString port} is still taken after ${portTimeout}, perhaps by an" \
          "earlier version that its process manager has lost. Find it with" \
          "ss -ltnp 'sport = :${toString port}', end it, and deploy again" >&2
        exit 1
      fi
      left=$((left - 1))
      ${coreutils}/bin/sleep 0.1
    done
  '';
in
createManagedProcess {
  inherit instanceName;
  description = "Hello world server on port ${toString port}";
  foregroundProcess = "${programs}/bin/hello-world-server";
  args = lib.optionals enableSystemdSocketActivation [ "--exit-when-idle" exitWhenIdle ]
    ++ [ (toString port) ];
  initialize = lib.optionalString (!enableSystemdSocketActivation) awaitPort;

  overrides = {
    # A name of a variable is made of it there.
    bsdrc.name = builtins.replaceStrings [ "-" ] [ "_" ] instanceName;
    # Dysnomia's module looks at no exit code; but this it runs in a shell of its own.
    disnix = generated: generated // { process = "\"eval ${generated.process} || exit 1\""; };
    systemd.Service = lib.optionalAttrs (!forceDisableUserChange) { DynamicUser = true; };
    sysvinit.runlevels = [ 3 4 5 ];
  };

  # A socket with the name of the service is started in its place.
  postInstall = lib.optionalString enableSystemdSocketActivation ''
    service=$(echo $out/etc/systemd/system/*.service)
    cat > "''${service%.service}.socket" <<END
    [Unit]
    Description=Socket of the hello world server on port ${toString port}

    [Socket]
    ListenStream=${toString port}
    END
  '';
}
