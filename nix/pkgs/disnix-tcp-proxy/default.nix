# The proxy in front of a service, and the wrapper by which Disnix locks and unlocks it.

{ lib
, stdenv
, callPackage
, coreutils
, dysnomia
, writeScript
, createManagedProcess
  # The four executables.
, programs
, runtimeDir
, logDir ? "/var/log"
, stateDir ? "/var"
, tmpDir ? "/tmp"
  # One that nix-processmgmt knows, or none: a daemon.
, processManager ? "none"
, forceDisableUserChange
}:

{ port
  # Dysnomia's module for the process manager.
, processType
  # How long a deployment waits for the clients that there are.
, drainTimeout ? "5m"
  # How long the proxy then stays locked, if it is never unlocked.
, lease ? "15m"
  # How long clients are kept while no proxy runs.
, parkTime ? "5m"
  # How long an unlock waits for the service to answer, before it lets those who waited go there.
, waitUpstream ? "60s"
  # How long a client waits for a service that does not answer while the proxy is open; it is reset
  # then.
, connectTimeout ? "10s"
  # How long clients may finish when the proxy is stopped without having been locked.
, stopTimeout ? "10s"
  # A lock takes connections from their service that are quiet for that long, and their clients stay;
  # only for a service that keeps nothing per connection, and never speaks unasked.
, suspendQuiet ? "none"
  # Whether clients that ended their direction while they were held are dropped, whatever they sent.
, abortOnClose ? false
  # With which header of the PROXY protocol each connection to the server begins, "v1" or "v2"; null
  # with none.
, sendProxy ? null
  # The networks whose connections begin with one.
, acceptProxy ? [ ]
}:

{ hello_world_server }:

let
  instanceName = "disnix-tcp-proxy-${toString port}";
  directories = "${runtimeDir}/disnix-tcp-proxy";
  directory = "${directories}/${toString port}";

  # Of its own, so that proxies on one machine cannot touch each other. Windows has its own users.
  user = if forceDisableUserChange || processManager == "cygrunsrv" then null else instanceName;

  # systemd makes the directory where it can, and locks the proxy up.
  isSandboxed = processManager == "systemd" && user != null
    && lib.elem runtimeDir [ "/run" "/var/run" ];

  # Only root can write to the directory above, so nobody can have put a link there. What the proxy of
  # another user has left in it would keep this one out.
  makeDirectory = ''
    ${coreutils}/bin/install -d -m 0755 ${directories}
    owner=$(${coreutils}/bin/id -u${lib.optionalString (user != null) " ${user}"})
    if [ -d ${directory} ] && [ "$(${coreutils}/bin/stat -c %u ${directory})" != "$owner" ]; then
      ${coreutils}/bin/chown -hR "$owner" ${directory} || :
    fi
    ${coreutils}/bin/install -d -m 0700 ${lib.optionalString (user != null) "-o ${user} -g ${user} "}${directory}
  '';

  stopSeconds = import ../seconds-of.nix stopTimeout + 10;

  logFile = "${logDir}/${instanceName}.log";
  # What nix-processmgmt makes of it.
  daemonLog = "${if user == null then logDir else tmpDir}/nixproc-${instanceName}.log";
  log = {
    bsdrc = daemonLog;
    disnix = daemonLog;
    docker = "docker logs dysnomia-${instanceName} (gone with the container)";
    s6-rc = "${logDir}/s6-log/${instanceName}/current";
    systemd = "journalctl -u nix-process-${instanceName}";
    sysvinit = daemonLog;
  }.${processManager} or logFile;

  lifecycle = writeScript "lifecycle" (callPackage ./wrapper.nix { } {
    inherit programs port directory processType log;
    inherit drainTimeout lease parkTime waitUpstream stopTimeout;
  });

  # Dysnomia deletes the users of a component that it deactivates, which fails as long as one of
  # their processes runs: the keeper. So the wrapper makes the user, before Dysnomia could, and it
  # stays.
  wrapper = writeScript "wrapper" ''
    #!${stdenv.shell} -e
    component=$(cd "$(${coreutils}/bin/dirname "$0")/.." && pwd)
    if [ "$1" = activate ] && [ -d "$component/credentials" ]; then
      ${dysnomia}/bin/dysnomia-addgroups "$component/credentials"
      ${dysnomia}/bin/dysnomia-addusers "$component/credentials"
    fi
    exec "$component/libexec/wrapper" "$@"
  '';
in
createManagedProcess {
  inherit instanceName user;
  description = "TCP proxy that can be drained, on port ${toString port}";
  foregroundProcess = "${programs}/bin/disnix-tcp-proxy";
  args = [
    "--runtime-dir"
    directory
    "--connect-timeout"
    connectTimeout
    "--stop-timeout"
    stopTimeout
  ] ++ lib.optionals (suspendQuiet != "none") [ "--suspend-quiet" suspendQuiet ]
  ++ lib.optional abortOnClose "--abort-on-close"
  ++ lib.optionals (sendProxy != null) [ "--send-proxy" sendProxy ]
  ++ lib.concatMap (network: [ "--accept-proxy" network ]) acceptProxy
  ++ [
    (toString port)
    (import ../address-of.nix hello_world_server)
  ];
  initialize = lib.optionalString (!isSandboxed) makeDirectory;
  # Some process managers have the user write it, and by default to where everybody may.
  pidFile = if user == null then "${runtimeDir}/${instanceName}.pid" else "${directory}/daemon.pid";

  credentials = lib.optionalAttrs (user != null) {
    groups.${user} = { };
    users.${user} = {
      group = user;
      description = "TCP proxy on port ${toString port}";
    };
  };

  overrides = {
    # A name of a variable is made of it there.
    bsdrc.name = builtins.replaceStrings [ "-" ] [ "_" ] instanceName;

    cygrunsrv = {
      stdout = logFile;
      stderr = logFile;
    };

    # The control socket is for the host, and so are the numbers of processes that come through it.
    docker.container = {
      dockerCreateParameters = { pid = "host"; };
      mapStateDirVolumes = [ stateDir directories ];
    };

    launchd = {
      StandardOutPath = logFile;
      StandardErrorPath = logFile;
      ExitTimeOut = stopSeconds;
    };

    supervisord = {
      redirect_stderr = true;
      stdout_logfile = logFile;
      stopwaitsecs = stopSeconds;
    };

    systemd.Service = import ./systemd.nix { inherit lib; } {
      inherit port stopTimeout isSandboxed;
      reload = "${programs}/bin/proxyctl --runtime-dir ${directory} upgrade";
    };

    sysvinit.runlevels = [ 3 4 5 ];
  };

  postInstall = ''
    mkdir -p $out/bin $out/libexec
    cp ${wrapper} $out/bin/wrapper
    cp ${lifecycle} $out/libexec/wrapper
    # To be in the profile, for those who want to know how it is doing.
    ln -s ${programs}/bin/proxyctl $out/bin/
    if [ -L $out/dysnomia-support ]; then
      mkdir $out/credentials
      mv $out/dysnomia-support $out/credentials/
    fi
  '' + lib.optionalString (processManager == "docker") ''
    echo dockerStopTimeout=${toString stopSeconds} >> $out/${instanceName}-docker-settings
  '';
}
