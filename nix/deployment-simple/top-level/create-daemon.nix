# Stands in for createManagedProcess of nix-processmgmt where there is no process manager: a
# component for Dysnomia's module "process", whose process is a daemon with a PID file. It runs as
# whoever activates it.

{ lib, stdenv, coreutils, daemon, runCommand, writeScript, runtimeDir, logDir }:

{ instanceName
, foregroundProcess
, args ? [ ]
  # Shell commands that are run before the process.
, initialize ? ""
  # Shell commands that add to the component.
, postInstall ? ""
, ...
}:

let
  start = writeScript "start-${instanceName}" ''
    #!${stdenv.shell} -e
    ${coreutils}/bin/mkdir -p ${runtimeDir} ${logDir}
    ${initialize}
    exec ${daemon}/bin/daemon --unsafe --pidfile ${runtimeDir}/${instanceName}.pid \
      --output ${logDir}/${instanceName}.log -- \
      ${foregroundProcess} ${lib.escapeShellArgs args}
  '';
in
runCommand instanceName { } ''
  mkdir -p $out/etc/dysnomia/process
  cat > $out/etc/dysnomia/process/${instanceName} <<END
  process=${start}
  pidFile=${runtimeDir}/${instanceName}.pid
  END
  ${postInstall}
  :
''
