# A component of the example for a process manager, from its real package. What it is to be is
# described in JSON, see component.ts.

{ stub, root, dysnomia, description }:

let
  component = builtins.fromJSON (builtins.readFile description);
  inherit (component) processType port state programs;

  runtimeDir = "${state}/run";
  logDir = state;
  pkgs = stub // {
    dysnomia = {
      outPath = dysnomia;
      override = _: dysnomia;
    };
  };
  inherit (pkgs) lib;
  callPackage = lib.callPackageWith (pkgs // {
    inherit callPackage programs runtimeDir logDir createManagedProcess;
    stateDir = state;
    forceDisableUserChange = true;
    processManager = { process = "none"; supervisord-program = "supervisord"; systemd-unit = "systemd"; }.${processType};
  });

  createManagedProcess = arguments: {
    process = callPackage (root + "/nix/deployment-simple/top-level/create-daemon.nix") { };
    supervisord-program = createProgram;
    systemd-unit = import (root + "/tests/nix/stub/nix-processmgmt/nixproc/create-managed-process/universal/create-managed-process-universal.nix") {
      inherit pkgs runtimeDir logDir;
      stateDir = state;
      tmpDir = state;
      forceDisableUserChange = true;
      processManager = "systemd";
    };
  }.${processType} (adapted arguments);

  # A test may put something before the process, add options, or let somebody else have its directory.
  adapted = { foregroundProcess, args, initialize ? "", ... }@arguments:
    let
      owner = toString component.owner;
      command = component.before ++ [ foregroundProcess ] ++ component.args ++ args;
    in arguments // {
      foregroundProcess = builtins.head command;
      args = builtins.tail command;
      initialize =
        if component ? owner
        then ''
          ${builtins.replaceStrings [ "$(${pkgs.coreutils}/bin/id -u)" ] [ owner ] initialize}
          chown ${owner} ${runtimeDir}/disnix-tcp-proxy/${toString port}
        ''
        else initialize;
    };

  # What nix-processmgmt makes for supervisord.
  createProgram = { instanceName, foregroundProcess, args, initialize ? "", postInstall ? "", overrides ? { }, ... }:
    let
      command = pkgs.writeScript "start-${instanceName}" ''
        #!${pkgs.stdenv.shell} -e
        ${initialize}
        exec ${foregroundProcess} ${lib.escapeShellArgs args}
      '';
      properties = { inherit command; } // overrides.supervisord or { };
    in
    pkgs.runCommand instanceName { } ''
      mkdir -p $out/conf.d
      cat > $out/conf.d/${instanceName}.conf <<END
      [program:${instanceName}]
      ${lib.concatStrings (lib.mapAttrsToList (name: value: "${name}=${toString value}\n") properties)}
      END
      ${postInstall}
      :
    '';
in
if component ? upstream then
  callPackage (root + "/nix/pkgs/disnix-tcp-proxy") { }
    ({ inherit port processType; } // component.options)
    {
      hello_world_server = {
        target.properties.hostname = "127.0.0.1";
        port = component.upstream;
      };
    }
else
  callPackage (root + "/nix/pkgs/hello-world-server") { } ({ inherit port; } // component.options)
