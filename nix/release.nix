# Builds, and tests in virtual machines.

{ nixpkgs ? <nixpkgs>
  # This project, and the framework that one of the deployments is for.
, source ? { outPath = ../.; rev = "1234"; }
, nix-processmgmt ? { outPath = ../../nix-processmgmt; rev = "1234"; }
, officialRelease ? false
, systems ? [ "x86_64-linux" "aarch64-linux" ]
  # What DisnixOS has for builds and tests like these.
, disnixos ? "${(import nixpkgs { }).disnixos}/share/disnixos/testing.nix"
}:

let
  pkgs = import nixpkgs { };
  inherit (pkgs.lib) genAttrs mapAttrs;

  packageFor = system: (import nixpkgs { inherit system; }).callPackage ./package.nix { };
  programs = packageFor builtins.currentSystem;
  inherit (programs) version;

  testing = system: import disnixos { inherit nixpkgs system; };
  inherit (testing builtins.currentSystem) disnixTest sourceTarball;

  tarball = sourceTarball {
    name = "disnix-tcp-proxy-tarball";
    src = source;
    inherit officialRelease version;
  };

  ports = deployment: (import (./. + "/${deployment}/DistributedDeployment/ids.nix")).ids.ports;

  # A manifest of models, on some system. `distribution` is the name of one of them, or a path.
  manifestOf = system: { deployment, services, distribution }:
    let
      models = "nix/${deployment}/DistributedDeployment";
      isExternal = builtins.isPath distribution;
    in
    (testing system).buildManifest {
      name = "disnix-tcp-proxy-${deployment}-${services}";
      inherit tarball version;
      servicesFile = "${models}/${services}.nix";
      networkFile = "${models}/network.nix";
      distributionFile = if isExternal then distribution else "${models}/${distribution}.nix";
      externalDistributionFile = isExternal;
      extraParams =
        if deployment == "deployment" then { nix-processmgmt = "${nix-processmgmt}"; } else { };
    };

  # On this system.
  manifestHere = manifestOf builtins.currentSystem;

  testOf = name: { deployment, ... }@variant: testScript: disnixTest {
    name = "disnix-tcp-proxy-${name}";
    inherit tarball testScript;
    manifest = manifestHere variant;
    networkFile = "nix/${deployment}/DistributedDeployment/network.nix";
  };

  upgradeTestOf = name: variant: testOf name variant (import ./release/upgrade.nix {
    inherit pkgs programs;
    port = (ports variant.deployment).disnix_tcp_proxy;
    before = manifestHere variant;
    after = manifestHere (variant // { distribution = ./release/distribution-moved.nix; });
  });

  variants = {
    simple_without_proxy = {
      deployment = "deployment-simple";
      services = "services-without-proxy";
      distribution = "distribution-without-proxy";
    };
    simple_with_proxy = {
      deployment = "deployment-simple";
      services = "services-with-proxy";
      distribution = "distribution-with-proxy";
    };
    without_proxy = {
      deployment = "deployment";
      services = "services-without-proxy";
      distribution = "distribution-without-proxy";
    };
    with_proxy = {
      deployment = "deployment";
      services = "services-with-proxy";
      distribution = "distribution-with-proxy";
    };
    with_socketactivation = {
      deployment = "deployment";
      services = "services-with-socketactivation";
      distribution = "distribution-without-proxy";
    };
  };
in
{
  inherit tarball;

  package = genAttrs systems packageFor;

  builds = mapAttrs (_: variant: genAttrs systems (system: manifestOf system variant)) variants;

  tests = mapAttrs (name: variant: testOf name variant (import ./release/hello.nix)) variants // {
    with_socketactivation = testOf "with_socketactivation" variants.with_socketactivation
      (import ./release/socket-activation.nix { port = (ports "deployment").hello_world_server; });

    simple_upgrade = upgradeTestOf "simple_upgrade" variants.simple_with_proxy;
    upgrade = upgradeTestOf "upgrade" variants.with_proxy;

    module = pkgs.testers.nixosTest (import ./release/module.nix { inherit programs; });
  };
}
