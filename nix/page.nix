# The page and the metrics of all proxies of a NixOS machine: services.disnix-tcp-proxy-page.

{ config, lib, pkgs, ... }:

let
  inherit (lib) concatMap concatMapStringsSep literalExpression mkIf mkOption replaceStrings types;

  page = config.services.disnix-tcp-proxy-page;

  # As systemd quotes.
  quoted = concatMapStringsSep " "
    (word: replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON word));

  command = [ "${page.package}/bin/proxyctl" "serve" "--listen" page.listen ]
    ++ concatMap (name: [ "--allow-host" name ]) page.allowedHosts;

  options = _: {
    options = {
      listen = mkOption {
        type = types.str;
        default = "127.0.0.1:8404";
        example = "0.0.0.0:8404";
        description = "Where to listen: `[HOST:]PORT`, and without a host on all addresses.";
      };

      passwordFile = mkOption {
        type = types.str;
        example = "/run/keys/proxies";
        description = ''
          A file with one line, `USER:PASSWORD`, that root can read. It is needed everywhere, since the
          page runs as a user of its own, and shows the clients of others' proxies.
        '';
      };

      controlGroups = mkOption {
        type = types.listOf types.str;
        example = [ "wheel" ];
        description = ''
          Groups that the page is in. It shows the proxies whose {option}`controlGroup` is one of them.
        '';
      };

      allowedHosts = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "proxies.example" ];
        description = "Names that browsers know this machine by, besides `localhost` and addresses.";
      };

      package = mkOption {
        type = types.package;
        default = pkgs.callPackage ./package.nix { };
        defaultText = literalExpression "pkgs.callPackage ./package.nix { }";
        description = "The package with the four executables.";
      };
    };
  };
in
{
  options.services.disnix-tcp-proxy-page = mkOption {
    type = types.nullOr (types.submodule options);
    default = null;
    example = literalExpression ''
      {
        passwordFile = "/run/keys/proxies";
        controlGroups = [ "wheel" ];
      }
    '';
    description = "The page, and the metrics for Prometheus, of the proxies on this machine.";
  };

  config = mkIf (page != null) {
    assertions = [
      {
        assertion = page.controlGroups != [ ];
        message = "services.disnix-tcp-proxy-page.controlGroups is empty, so that no proxy could be shown";
      }
      {
        # What the store has every user can read.
        assertion = builtins.match "/nix/store/.*" page.passwordFile == null;
        message = "services.disnix-tcp-proxy-page.passwordFile is in the store, which every user can read";
      }
    ];

    systemd.services.disnix-tcp-proxy-page = {
      description = "Page and metrics of the TCP proxies";
      after = [ "network.target" ];
      wantedBy = [ "multi-user.target" ];
      serviceConfig = import ./pkgs/disnix-tcp-proxy/sandbox.nix // {
        LoadCredential = "password:${page.passwordFile}";
        ExecStart = "${quoted command} --password-file \${CREDENTIALS_DIRECTORY}/password";
        Restart = "on-failure";
        # Bad usage: it would not be better the next time.
        RestartPreventExitStatus = 2;
        DynamicUser = true;
        SupplementaryGroups = page.controlGroups;

        CapabilityBoundingSet = "";
        ProcSubset = "pid";
        RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
        SystemCallFilter = [ "@system-service" "~@privileged" ];
        TasksMax = 64;
      };
    };
  };
}
