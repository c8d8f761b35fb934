{ system, pkgs
, stateDir
, logDir
, runtimeDir
, tmpDir
, forceDisableUserChange
, processManager
, nix-processmgmt
  # The four executables.
, programs ? pkgs.callPackage ../../package.nix { }
}:

let
  callPackage = pkgs.lib.callPackageWith (pkgs // self);

  self = {
    inherit programs stateDir logDir runtimeDir tmpDir processManager forceDisableUserChange;

    createManagedProcess = import "${nix-processmgmt}/nixproc/create-managed-process/universal/create-managed-process-universal.nix" {
      inherit pkgs stateDir runtimeDir logDir tmpDir forceDisableUserChange processManager;
    };

    disnix_tcp_proxy = callPackage ../../pkgs/disnix-tcp-proxy { };

    hello_world_server = callPackage ../../pkgs/hello-world-server { };

    hello_world_client = callPackage ../../pkgs/hello-world-client { };
  };
in
self
