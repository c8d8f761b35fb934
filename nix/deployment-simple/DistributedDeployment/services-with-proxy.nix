{ system, distribution, invDistribution, pkgs
, stateDir ? "/var"
, runtimeDir ? "${stateDir}/run"
, logDir ? "${stateDir}/log"
}:

let
  customPkgs = import ../top-level/all-packages.nix {
    inherit system pkgs runtimeDir logDir;
  };

  ids = if builtins.pathExists ./ids.nix then (import ./ids.nix).ids else { };

  # What nix/deployment derives from a process manager.
  processType = "process";
in
rec {
  hello_world_server = rec {
    name = "hello_world_server";
    port = ids.ports.hello_world_server or 0;
    pkg = customPkgs.hello_world_server { inherit port; };
    type = processType;
    requiresUniqueIdsFor = [ "ports" ];
  };

  hello_world_client = {
    name = "hello_world_client";
    pkg = customPkgs.hello_world_client;
    dependsOn = {
      hello_world_server = disnix_tcp_proxy;
    };
    type = "package";
  };

  disnix_tcp_proxy = rec {
    name = "disnix_tcp_proxy";
    port = ids.ports.disnix_tcp_proxy or 0;
    pkg = customPkgs.disnix_tcp_proxy { inherit port processType; };
    dependsOn = {
      inherit hello_world_server;
    };
    # The only type of which Dysnomia passes on lock and unlock.
    type = "wrapper";
    requiresUniqueIdsFor = [ "ports" ];
  };
}
