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
  # Of each version its own: Dysnomia waits for no process to end, and takes one to be running as long
  # as its PID file is there.
  version = builtins.substring 0 8 (builtins.hashString "sha256"
    (builtins.unsafeDiscardStringContext (toString ([ foregroundProcess ] ++ args))));
  pidFile = "${runtimeDir}/${instanceName}-${version}.pid";

  start = writeScript "start-${instanceName}" ''
    #!${stdenv.shell} -e
    ${coreutils}/bin/mkdir -p ${runtimeDir} ${logDir}
    ${initialize}
    # Waits until the rest succeeds, for so many hundredths of a second.
    await() {
      left=$1
      shift
      until "$@" || [ "$left" = 0 ]; do
        left=$((left - 1))
        ${coreutils}/bin/sleep 0.01
      done
    }
    none_runs() {
      for file in ${runtimeDir}/${instanceName}-*.pid; do
        if [ -e "$file" ] && kill -0 "$(${coreutils}/bin/cat "$file")" 2>/dev/null; then
          return 1
        fi
      done
    }
    # An earlier version may still be ending, and has the port until then.
    await 1000 none_runs
    ${daemon}/bin/daemon --unsafe --pidfile ${pidFile} --output ${logDir}/${instanceName}.log -- \
      ${foregroundProcess} ${lib.escapeShellArgs args}
    # Dysnomia sleeps for a second if it is not there at once.
    await 100 test -e ${pidFile}
  '';
in
# Dysnomia's module looks at no exit code; but what `process` says it runs in a shell of its own.
runCommand instanceName { } ''
  mkdir -p $out/etc/dysnomia/process
  cat > $out/etc/dysnomia/process/${instanceName} <<END
  process="eval ${start} || exit 1"
  pidFile=${pidFile}
  END
  ${postInstall}
  :
''
