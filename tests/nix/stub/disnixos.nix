# Stands in for testing.nix of DisnixOS, with the same interface: its manifests have the components,
# and its tests their scripts.

{ nixpkgs, system ? builtins.currentSystem }:

let
  pkgs = import nixpkgs { inherit system; };
in
{
  sourceTarball = { name, version, src, officialRelease }: "${src}";

  buildManifest =
    { name
    , version
    , tarball
    , servicesFile
    , networkFile
    , distributionFile
    , extraParams ? { }
    , externalNetworkFile ? false
    , externalDistributionFile ? false
    }:
    let
      network = import "${tarball}/${networkFile}";
      infrastructure = builtins.mapAttrs
        (name: _: { properties.hostname = name; })
        network;
      services = import ../deployment.nix {
        inherit pkgs infrastructure;
        services = "${tarball}/${servicesFile}";
        distribution =
          if externalDistributionFile then distributionFile else "${tarball}/${distributionFile}";
        parameters = extraParams;
      };
    in
    pkgs.runCommand name
      {
        services = builtins.toJSON (builtins.mapAttrs
          (_: { type, component }: { inherit type; component = "${component}"; })
          services);
        passAsFile = [ "services" ];
      } ''
      mkdir $out
      cp $servicesPath $out/manifest.xml
    '';

  disnixTest =
    { name
    , manifest
    , tarball
    , networkFile
    , testScript
    , externalNetworkFile ? false
    , dysnomiaStateDir ? ""
    , postActivateTimeout ? 1
    }:
    assert builtins.pathExists "${tarball}/${networkFile}";
    pkgs.runCommand name { inherit manifest testScript; passAsFile = [ "testScript" ]; }
      "cp $testScriptPath $out";
}
