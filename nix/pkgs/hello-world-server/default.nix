{ lib, createManagedProcess, programs, forceDisableUserChange }:

{ port
  # Whether systemd holds the port, and starts the server for its first client.
, enableSystemdSocketActivation ? false
  # How long it then stays when no client is there.
, exitWhenIdle ? "30s"
}:

let
  instanceName = "hello-world-server-${toString port}";
in
createManagedProcess {
  inherit instanceName;
  description = "Hello world server on port ${toString port}";
  foregroundProcess = "${programs}/bin/hello-world-server";
  args = lib.optionals enableSystemdSocketActivation [ "--exit-when-idle" exitWhenIdle ]
    ++ [ (toString port) ];

  overrides = {
    # A name of a variable is made of it there.
    bsdrc.name = builtins.replaceStrings [ "-" ] [ "_" ] instanceName;
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
