# The text of the script that Dysnomia's module "wrapper" runs as `bin/wrapper OPERATION`: it locks and
# unlocks the proxy, and has it parked while no process of it runs. Everything else is done by the
# module for the process manager. Install it as `bin/wrapper` of the component.

{ lib, stdenv, coreutils, dysnomia, python3Packages }:

{
  # The package with bin/proxyctl.
  programs
, port
  # The runtime directory of the proxy.
, directory
  # The module for the process manager: "process", "systemd-unit", …
, processType
  # Where the proxy says how it is: a file, or a command that shows it.
, log
  # How long a lock waits for the connections that there are.
, drainTimeout ? "5m"
  # How long the proxy then stays locked, if it is never unlocked.
, lease ? "15m"
  # How long clients are kept while no proxy runs.
, parkTime ? "5m"
  # How long an unlock waits for the service to answer.
, waitUpstream ? "60s"
  # The proxy's own --stop-timeout.
, stopTimeout ? "10s"
}:

let
  # Modules that Dysnomia only has when asked for.
  flags = {
    docker-container.enableDockerContainer = true;
    s6-rc-service.enableS6RCService = true;
    supervisord-program.enableSupervisordProgram = true;
  };

  parameters = {
    inherit port directory lease log;
    proxyctl = "${programs}/bin/proxyctl";
    module = "${dysnomia.override (flags.${processType} or { })}/libexec/dysnomia/${processType}";
    module_type = processType;
    drain_timeout = drainTimeout;
    park_time = parkTime;
    wait_upstream = waitUpstream;
    # What the proxy itself may take, and some more.
    stop_limit = import ../seconds-of.nix stopTimeout + 10;
    supervisorctl = lib.optionalString (processType == "supervisord-program")
      "${python3Packages.supervisor}/bin/supervisorctl";
  };
in
''
  #!${stdenv.shell}
  PATH=${coreutils}/bin:$PATH
  ${lib.concatStringsSep "\n" (lib.mapAttrsToList
      (name: value: "readonly ${name}=${lib.escapeShellArg (toString value)}") parameters)}

'' + builtins.readFile ./wrapper.sh
