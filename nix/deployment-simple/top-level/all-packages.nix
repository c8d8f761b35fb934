{ system, pkgs
, runtimeDir
, logDir
  # The four executables.
, programs ? pkgs.callPackage ../../package.nix { }
}:

let
  callPackage = pkgs.lib.callPackageWith (pkgs // self);

  self = {
    inherit programs runtimeDir logDir;

    # There is no process manager here, and so none that could change the user.
    forceDisableUserChange = true;

    createManagedProcess = callPackage ./create-daemon.nix { inherit logDir; };

    disnix_tcp_proxy = callPackage ../../pkgs/disnix-tcp-proxy { };

    hello_world_server = callPackage ../../pkgs/hello-world-server { };

    hello_world_client = callPackage ../../pkgs/hello-world-client { };
  };
in
self
