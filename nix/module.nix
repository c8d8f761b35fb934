# Proxies on a NixOS machine, without Disnix: services.disnix-tcp-proxy.<name>.
#
# A changed configuration is a reload: a new process takes over the listening socket, and every live
# connection. Before the service behind a proxy is upgraded, drain it: `proxyctl --port 8080 drain`.

{ config, lib, pkgs, ... }:

let
  inherit (lib) concatMap concatMapStringsSep escapeShellArgs literalExpression mapAttrs'
    mapAttrsToList mkIf mkOption nameValuePair optional optionals replaceStrings types unique;

  instances = config.services.disnix-tcp-proxy;

  # [HOST:]PORT. null if it is no such thing.
  portOf = listen:
    let match = builtins.match "(.+:)?(0|[1-9][0-9]{0,4})" listen;
    in if match == null then null else builtins.fromJSON (builtins.elemAt match 1);

  directoryOf = instance: "/run/disnix-tcp-proxy/${toString (portOf instance.listen)}";

  groupOf = instance:
    if instance.controlGroup == null then instance.group else instance.controlGroup;

  commandOf = instance:
    [ "${instance.package}/bin/disnix-tcp-proxy" ]
    ++ [ "--runtime-dir" (directoryOf instance) ]
    ++ [ "--threads" (toString instance.threads) ]
    ++ [ "--connect-timeout" instance.connectTimeout ]
    ++ [ "--stop-timeout" instance.stopTimeout ]
    ++ optionals (instance.suspendQuiet != "none") [ "--suspend-quiet" instance.suspendQuiet ]
    ++ optional instance.abortOnClose "--abort-on-close"
    ++ optionals (instance.sendProxy != null) [ "--send-proxy" instance.sendProxy ]
    ++ concatMap (network: [ "--accept-proxy" network ]) instance.acceptProxy
    ++ optionals (instance.controlGroup != null) [ "--control-group" instance.controlGroup ]
    ++ optionals instance.socketActivation [ "--exit-idle-time" instance.exitIdleTime ]
    ++ instance.extraOptions
    ++ [ instance.listen instance.upstream ];

  # As systemd quotes.
  quoted = concatMapStringsSep " "
    (word: replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON word));

  # Starts the proxy as it is configured now, next to the one that runs: it takes over, and tells
  # systemd. `proxyctl upgrade` would start it as it was configured.
  reloadOf = name: instance: pkgs.writeScript "reload-disnix-tcp-proxy-${name}" ''
    #!${pkgs.stdenv.shell}
    is_served_by() {
      case $(${instance.package}/bin/proxyctl --runtime-dir ${directoryOf instance} status --json) in
        *'"pid":'"$1"[,}]*) ;;
        *) false ;;
      esac
    }
    # Nothing would be taken over, and there would be two.
    if ! is_served_by "$MAINPID"; then
      echo "The proxy of this unit (process $MAINPID) is not the one of ${directoryOf instance}." \
        "If its port was changed: systemctl restart ${unitOf name}" >&2
      exit 1
    fi
    ${lib.optionalString instance.socketActivation ''
      # systemd can have the socket only once the proxy does not.
      if ! ${pkgs.systemd}/bin/systemctl --quiet is-active ${unitOf name}.socket; then
        echo "The socket is to be systemd's from now on: systemctl restart ${unitOf name}" >&2
        exit 1
      fi
    ''}
    # Nobody's child, and so one of systemd's: for the end of any other one it does not wait.
    successor=$(${escapeShellArgs (commandOf instance)} --takeover always >&2 & echo $!)
    while kill -0 "$successor" 2>/dev/null; do
      if is_served_by "$successor"; then exit 0; fi
      ${pkgs.coreutils}/bin/sleep 0.1
    done
    echo "The new process did not take over, and the old one goes on: see above" >&2
    exit 1
  '';

  unitOf = name: "disnix-tcp-proxy-${name}";

  serviceOf = name: instance: {
    description = "TCP proxy in front of ${instance.upstream}";
    after = [ "network.target" ] ++ optional instance.socketActivation "${unitOf name}.socket";
    requires = optional instance.socketActivation "${unitOf name}.socket";
    wantedBy = optional (!instance.socketActivation) "multi-user.target";
    reloadIfChanged = true;
    serviceConfig = import ./pkgs/disnix-tcp-proxy/systemd.nix { inherit lib; }
      {
        # null is refused below.
        port = let port = portOf instance.listen; in if port == null then 0 else port;
        reload = reloadOf name instance;
        inherit (instance) stopTimeout;
        isSandboxed = true;
        isShared = instance.controlGroup != null;
      } // {
      ExecStart = quoted (commandOf instance);
      User = instance.user;
      # systemd gives the runtime directory to this group each time that it starts something.
      Group = groupOf instance;
    } // lib.optionalAttrs instance.socketActivation {
      # Otherwise systemd changes the socket, which a process that runs may have as well.
      NonBlocking = true;
    };
  };

  socketOf = name: instance: {
    description = "Socket of the TCP proxy in front of ${instance.upstream}";
    wantedBy = [ "sockets.target" ];
    socketConfig = {
      ListenStream = instance.listen;
      Backlog = 4096;
    };
  };

  duration = types.strMatching
    "[0-9]+(h([0-9]+m)?([0-9]+s)?([0-9]+ms)?|m([0-9]+s)?([0-9]+ms)?|s([0-9]+ms)?|ms)";

  options = { name, ... }: {
    options = {
      listen = mkOption {
        type = types.str;
        example = "[::1]:8080";
        description = ''
          Where to listen: `[HOST:]PORT`, and without a host on all addresses. After it was changed,
          the service must be restarted by hand: a reload keeps the socket, and fails.
        '';
      };

      upstream = mkOption {
        type = types.str;
        example = "127.0.0.1:9080";
        description = "The service behind the proxy: `HOST:PORT`.";
      };

      threads = mkOption {
        type = types.either types.ints.positive (types.enum [ "auto" ]);
        default = 1;
        example = "auto";
        description = "How many threads carry bytes; `auto`: as many as there are processors.";
      };

      connectTimeout = mkOption {
        type = duration;
        default = "10s";
        example = "1m";
        description = ''
          How long a client waits for a service that does not answer; it is reset then.
        '';
      };

      stopTimeout = mkOption {
        type = duration;
        default = "10s";
        example = "1m30s";
        description = "How long clients may finish when the service is stopped.";
      };

      suspendQuiet = mkOption {
        type = types.either duration (types.enum [ "none" ]);
        default = "none";
        example = "200ms";
        description = ''
          A drain takes connections from the service that are quiet for that long, and their clients
          stay for the service that comes next. Only for a service that keeps nothing per connection
          (login, transaction), and never speaks unasked.
        '';
      };

      abortOnClose = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether clients that ended their direction while they were held are dropped, whatever they
          sent: they may have given up.
        '';
      };

      sendProxy = mkOption {
        type = types.nullOr (types.enum [ "v1" "v2" ]);
        default = null;
        description = ''
          With which header of the PROXY protocol each connection to the service begins, which then
          knows who the client is; `null` with none.
        '';
      };

      acceptProxy = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "10.0.0.0/8" ];
        description = ''
          The networks whose connections begin with a header of the PROXY protocol. What it says is
          believed, and whoever does not send one is reset.
        '';
      };

      extraOptions = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--idle-timeout" "1h" ];
        description = "Further options, see `disnix-tcp-proxy --help`.";
      };

      socketActivation = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether systemd holds the listening socket, starts the proxy for its first client, and keeps
          clients waiting while no proxy runs. {option}`listen` must then have no host, or a numeric
          one.
        '';
      };

      exitIdleTime = mkOption {
        type = types.either duration (types.enum [ "none" ]);
        default = "none";
        example = "5m";
        description = ''
          With {option}`socketActivation`: how long nobody must be there until the proxy ends.
        '';
      };

      controlGroup = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "wheel";
        description = ''
          Group whose members may control the proxy, with
          `proxyctl --runtime-dir /run/disnix-tcp-proxy/PORT`. Otherwise only root and {option}`user`
          may.
        '';
      };

      openFirewall = mkOption {
        type = types.bool;
        default = false;
        description = "Whether to open the port in the firewall.";
      };

      user = mkOption {
        type = types.str;
        default = "disnix-tcp-proxy-${name}";
        defaultText = literalExpression ''"disnix-tcp-proxy-''${name}"'';
        description = ''
          User of the proxy. The default one is made; another one must exist. After it was changed, the
          service must be restarted by hand: only the same user may take over.
        '';
      };

      group = mkOption {
        type = types.str;
        default = "disnix-tcp-proxy-${name}";
        defaultText = literalExpression ''"disnix-tcp-proxy-''${name}"'';
        description = "Group of the proxy. The default one is made; another one must exist.";
      };

      package = mkOption {
        type = types.package;
        default = pkgs.callPackage ./package.nix { };
        defaultText = literalExpression "pkgs.callPackage ./package.nix { }";
        description = "The package with the four executables.";
      };
    };
  };

  assertionsOf = name: instance:
    let port = portOf instance.listen; in [
      {
        assertion = builtins.match "[a-zA-Z0-9_.-]+" name != null;
        message = "services.disnix-tcp-proxy.\"${name}\" must have a name of letters, digits, and \"_.-\"";
      }
      {
        assertion = port != null && port >= 1 && port <= 65535;
        message = "services.disnix-tcp-proxy.${name}.listen is \"${instance.listen}\", and must be [HOST:]PORT";
      }
      {
        assertion = builtins.match "(\\[[^]]+]|[^:]+):[0-9]{1,5}" instance.upstream != null;
        message = "services.disnix-tcp-proxy.${name}.upstream is \"${instance.upstream}\", and must be HOST:PORT, an IPv6 address in brackets";
      }
      {
        assertion = !instance.socketActivation
          || builtins.match "((\\[[0-9a-fA-F:.]+]|[0-9.]+):)?[0-9]+" instance.listen != null;
        message = "services.disnix-tcp-proxy.${name}.listen is \"${instance.listen}\", and must have a numeric host or none: systemd resolves no names";
      }
      {
        assertion = instance.socketActivation || instance.exitIdleTime == "none";
        message = "services.disnix-tcp-proxy.${name}.exitIdleTime needs socketActivation: nothing else would start the proxy again";
      }
    ];

  ports = mapAttrsToList (_: instance: portOf instance.listen) instances;
  madeUsers = lib.filterAttrs (name: instance: instance.user == unitOf name) instances;
  madeGroups = lib.filterAttrs (name: instance: instance.group == unitOf name) instances;
in
{
  imports = [ ./page.nix ];

  options.services.disnix-tcp-proxy = mkOption {
    type = types.attrsOf (types.submodule options);
    default = { };
    example = literalExpression ''
      {
        web = {
          listen = "8080";
          upstream = "127.0.0.1:9080";
          openFirewall = true;
        };
      }
    '';
    description = "TCP proxies that can be drained, for upgrades that no client sees.";
  };

  config = mkIf (instances != { }) {
    assertions = builtins.concatLists (mapAttrsToList assertionsOf instances) ++ [
      {
        assertion = unique ports == ports;
        message = "Two instances of services.disnix-tcp-proxy have the same port, and so the same runtime directory";
      }
    ];

    environment.systemPackages = unique (mapAttrsToList (_: instance: instance.package) instances);

    networking.firewall.allowedTCPPorts = concatMap
      (instance: optional instance.openFirewall (portOf instance.listen))
      (builtins.attrValues instances);

    systemd.services = mapAttrs'
      (name: instance: nameValuePair (unitOf name) (serviceOf name instance))
      instances;

    systemd.sockets = mapAttrs'
      (name: instance: nameValuePair (unitOf name) (socketOf name instance))
      (lib.filterAttrs (_: instance: instance.socketActivation) instances);

    users.users = mapAttrs'
      (_: instance: nameValuePair instance.user {
        isSystemUser = true;
        inherit (instance) group;
      })
      madeUsers;

    users.groups = mapAttrs' (_: instance: nameValuePair instance.group { }) madeGroups;
  };
}
