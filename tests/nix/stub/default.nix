# Stands in for nixpkgs: only what the expressions here, and those of nix-processmgmt, use of it.
# The tools of this machine take the place of packages, so that everything can be built without a
# network.

{ system ? builtins.currentSystem, ... }:

let
  lib = import ./lib.nix;

  # Where the tools of this machine are. The tests let Deno and others appear in the sandbox.
  machine = "/usr";

  builder = builtins.toFile "builder.sh" ''
    set -e
    export PATH=/usr/bin:/bin HOME=$NIX_BUILD_TOP LC_ALL=C
    for package in $buildInputs $nativeBuildInputs; do PATH=$package/bin:$PATH; done
    if [ -n "''${buildCommandPath:-}" ]; then
      source "$buildCommandPath"
    elif [ -n "''${buildCommand:-}" ]; then
      eval "$buildCommand"
    else
      cp -r "$src" source
      chmod -R u+w source
      cd source
      if [ -n "''${buildPhase:-}" ]; then eval "$buildPhase"; else make $makeFlags; fi
      if [ -n "''${installPhase:-}" ]; then eval "$installPhase"; else make $makeFlags install; fi
    fi
    # A shell that executes its last command can die where Nix has no sandbox.
    :
  '';

  stdenv = {
    inherit system;
    shell = "/bin/bash";
    isLinux = true;
    isDarwin = false;
    isCygwin = false;
    isBSD = false;
    isSunOS = false;
    hostPlatform = {
      inherit system;
      isLinux = true;
      isDarwin = false;
    };
    mkDerivation = attributes:
      derivation (removeAttrs attributes [ "meta" "passthru" "outputs" ] // {
        name = attributes.name or "${attributes.pname}-${attributes.version}";
        inherit system;
        builder = "/bin/bash";
        args = [ builder ];
        # As that of nixpkgs, for sources whose times are those of the store.
        SOURCE_DATE_EPOCH = "315532800";
      }) // { meta = attributes.meta or { }; } // attributes.passthru or { };
  };

  runCommand = name: attributes: buildCommand:
    stdenv.mkDerivation (attributes // { inherit name buildCommand; });

  writeTextFile = { name, text, executable ? false, destination ? "" }:
    runCommand name { inherit text; passAsFile = [ "text" ]; } ''
      mkdir -p "$(dirname "$out${destination}")"
      cp "$textPath" "$out${destination}"
      ${lib.optionalString executable ''chmod +x "$out${destination}"''}
    '';

  buildEnv = { name, paths, ... }: runCommand name { inherit paths; } ''
    mkdir -p $out
    for path in $paths; do
      cp -rsn --no-preserve=mode "$path/." $out/
    done
  '';

  self = {
    inherit system lib stdenv runCommand writeTextFile buildEnv;
    pkgs = self;
    stdenvNoCC = stdenv;
    writeText = name: text: writeTextFile { inherit name text; };
    writeScript = name: text: writeTextFile { inherit name text; executable = true; };
    callPackage = lib.callPackageWith self;
    path = ./.;

    # The modules that it only has when asked for are at another place then.
    dysnomia = {
      outPath = "/dysnomia";
      override = flags: {
        outPath = lib.concatStrings ([ "/dysnomia" ] ++ map (flag: "-${flag}") (builtins.attrNames flags));
      };
    };

    # See nix.ts for where these come from.
    deno = {
      outPath = "/deno";
      version = "2.9.6";
      denort = "/denort";
    };
    esbuild = "/esbuild";
    cacert = "/cacert";

    fetchurl = { url, sha256 ? "", ... }: runCommand (baseNameOf url) { } "touch $out";
    dockerTools = {
      shadowSetup = "";
      buildImage = image: runCommand "docker-image-${image.name}.tar.gz"
        { description = builtins.toJSON image; passAsFile = [ "description" ]; }
        "cp $descriptionPath $out";
    };
    testers.nixosTest = test: runCommand test.name
      { inherit (test) testScript; passAsFile = [ "testScript" ]; } "cp $testScriptPath $out";
    python3Packages.supervisor = machine;
    glibc = { outPath = machine; bin = machine; };
    bash = machine;
    coreutils = machine;
    daemon = machine;
    execline = machine;
    findutils = machine;
    getopt = machine;
    gnugrep = machine;
    gnused = machine;
    inetutils = machine;
    libxml2 = machine;
    libxslt = machine;
    pkg-config = machine;
    s6 = machine;
    shadow = machine;
    supervisor = machine;
    systemd = machine;
    sysvinit = machine;
  };
in
self
