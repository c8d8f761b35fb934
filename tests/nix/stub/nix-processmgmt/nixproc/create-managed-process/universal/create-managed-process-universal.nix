# Stands in for nix-processmgmt, with the same interface. A component has a file where its process
# manager looks for it: a unit for systemd, and for the others what they would be told, as JSON.

{ pkgs, stateDir, runtimeDir, logDir, tmpDir, forceDisableUserChange ? false, processManager }:

{ name ? instanceName
, description ? name
, instanceName ? null
, initialize ? ""
, process ? null
, foregroundProcess ? process
, args ? [ ]
, foregroundProcessArgs ? args
, pidFile ? null
, path ? [ ]
, environment ? { }
, directory ? null
, umask ? null
, nice ? null
, user ? null
, dependencies ? [ ]
, credentials ? { }
, overrides ? { }
, postInstall ? ""
}:

let
  inherit (pkgs) lib;

  managers = {
    bsdrc = { file = name: "etc/rc.d/${name}"; };
    cygrunsrv = { file = name: "${name}-cygrunsrvparams"; hasUsers = false; };
    disnix = { file = name: "etc/dysnomia/process/${name}"; };
    docker = { file = name: "${name}-docker-settings"; hasUsers = false; };
    launchd = { file = name: "Library/LaunchDaemons/org.nixos.${name}.plist"; };
    s6-rc = { file = name: "etc/s6/sv/${name}-srv/run"; };
    supervisord = { file = name: "conf.d/${name}.conf"; };
    systemd = { file = name: "etc/systemd/system/nix-process-${name}.service"; };
    sysvinit = { file = name: "etc/rc.d/init.d/${name}"; };
  };
  manager = managers.${processManager};

  command = "${foregroundProcess} ${lib.escapeShellArgs foregroundProcessArgs}";
  start = pkgs.writeScript "${name}-prestart" ''
    #!${pkgs.stdenv.shell} -e
    ${initialize}
  '';

  isUserChanged = user != null && !forceDisableUserChange;

  generated =
    if processManager == "systemd" then {
      inherit name;
      Unit.Description = description;
      Service = { Type = "simple"; ExecStart = command; }
        // lib.optionalAttrs (initialize != "")
        { ExecStartPre = lib.optionalString (user != null) "+" + "${start}"; }
        // lib.optionalAttrs isUserChanged { User = user; };
    } else {
      inherit name description command initialize pidFile environment;
      user = if isUserChanged then user else null;
    } // lib.optionalAttrs (processManager == "disnix") { process = toString processScript; };

  override = overrides.${processManager} or { };
  properties =
    if builtins.isFunction override then override generated
    else lib.recursiveUpdate generated override;

  unit = lib.concatStrings (lib.mapAttrsToList
    (title: section: ''
      [${title}]
      ${lib.concatStrings (lib.mapAttrsToList (key: value: "${key}=${toString value}\n") section)}
    '')
    (removeAttrs properties [ "name" ]));
  processScript = pkgs.writeScript "${name}-process" ''
    #!${pkgs.stdenv.shell} -e
    ${initialize}
    exec ${pkgs.daemon}/bin/daemon --unsafe --pidfile ${runtimeDir}/${name}.pid -- ${command}
  '';
  processConfig = ''
    process=${properties.process}
    pidFile=${runtimeDir}/${name}.pid
  '';

  credentialsFiles = pkgs.runCommand "credentials" { } ''
    mkdir -p $out/dysnomia-support
    ${lib.concatStrings (lib.mapAttrsToList (name: _: ''
      mkdir -p $out/dysnomia-support/groups
      touch $out/dysnomia-support/groups/${name}
    '') (credentials.groups or { }))}
    ${lib.concatStrings (lib.mapAttrsToList (name: user: ''
      mkdir -p $out/dysnomia-support/users
      echo group=${user.group} > $out/dysnomia-support/users/${name}
    '') (credentials.users or { }))}
  '';
in
pkgs.runCommand "${lib.optionalString (processManager == "systemd") "nix-process-"}${name}"
  {
    text =
      if processManager == "systemd" then unit
      else if processManager == "disnix" then processConfig
      else if processManager == "docker" then "dockerImageTag=${name}:latest\n"
      else builtins.toJSON properties;
    passAsFile = [ "text" ];
  } ''
  file=$out/${manager.file properties.name}
  mkdir -p "$(dirname "$file")"
  cp "$textPath" "$file"
  ${lib.optionalString (manager.hasUsers or true) ''
    ln -s ${credentialsFiles}/dysnomia-support $out/dysnomia-support
  ''}
  ${lib.optionalString (processManager == "docker") ''
    cat > $out/${name}-docker-createparams <<'END'
    ${builtins.toJSON (properties.container or { })}
    END
  ''}
  ${postInstall}
''
