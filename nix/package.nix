# The four executables, each of which needs neither Deno nor Node where it runs.

{ lib, stdenv, stdenvNoCC, cacert
  # 2.8 or later.
, deno
  # The runtime that the executables are put on, of the same version; `deno compile` would download it.
  # It is an output of the package deno since nixpkgs#534873 (mid-2026). A package of deno 2.8.3, the
  # version that NixOS 26.05 has, deletes it: with such a one, hand in what has bin/denort.
, denort ? deno.denort or (throw
    "disnix-tcp-proxy: the package deno ${deno.version or ""} has no output \"denort\": take a newer nixpkgs")
  # 0.28 or later. Without Nix one is downloaded; this one need not be the same.
, esbuild
}:

let
  manifest = builtins.fromJSON (builtins.readFile ../deno.json);

  select = names: builtins.path {
    name = "disnix-tcp-proxy-source";
    path = ../.;
    filter = path: type:
      let relative = lib.removePrefix (toString ../. + "/") path;
      in builtins.any (name: relative == name || lib.hasPrefix "${name}/" relative) names;
  };

  # Nothing but the libraries of deno.lock: if it changes, so does the hash. To get the new one, put
  # lib.fakeHash here and build; `deno task test` says it as well.
  libraries = stdenvNoCC.mkDerivation {
    name = "disnix-tcp-proxy-libraries";
    src = select [ "deno.json" "deno.lock" ];
    nativeBuildInputs = [ deno ];
    DENO_CERT = "${cacert}/etc/ssl/certs/ca-bundle.crt";
    impureEnvVars = [ "http_proxy" "https_proxy" "no_proxy" "HTTP_PROXY" "HTTPS_PROXY" "NO_PROXY" ];
    buildPhase = ''
      export DENO_DIR=$TMPDIR/deno HOME=$TMPDIR
      deno install --quiet --frozen
    '';
    # What the registry says about a library changes with each of its versions.
    installPhase = ''
      mkdir $out
      cp -r "$DENO_DIR"/npm/*/* $out/
      find $out -name registry.json -delete
    '';
    dontFixup = true;
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = "sha256-e1iyafdE2h00cHMwPPJfu3cNRmCBgp07MwvwUI576cY=";
  };

  # A name that is never resolved, so that a build without a sandbox downloads nothing either.
  registry = "registry.invalid";
in
stdenv.mkDerivation {
  pname = "disnix-tcp-proxy";
  inherit (manifest) version;
  src = select [ "deno.json" "deno.lock" "lib" "client.ts" "proxy.ts" "proxyctl.ts" "server.ts" ];
  nativeBuildInputs = [ deno esbuild ];

  DENORT_BIN = "${denort}/bin/denort";
  NPM_CONFIG_REGISTRY = "https://${registry}";

  buildPhase = ''
    export DENO_DIR=$TMPDIR/deno HOME=$TMPDIR
    mkdir -p $DENO_DIR/npm
    cp -r ${libraries} $DENO_DIR/npm/${registry}
    chmod -R u+w $DENO_DIR/npm
  '';

  installPhase = ''
    ESBUILD_BIN=$(command -v esbuild) deno task --quiet compile --output $out/bin
    deno task --quiet man --output $out/share/man
    # From source: the executables may be for another machine.
    completions() {
      mkdir -p "$out/share/$(dirname "$2")"
      deno run --quiet --cached-only --allow-all proxyctl.ts completions "$1" >"$out/share/$2"
    }
    completions bash bash-completion/completions/proxyctl
    completions zsh zsh/site-functions/_proxyctl
    completions fish fish/vendor_completions.d/proxyctl.fish
  '';

  # What Deno appends to its runtime does not survive either.
  dontStrip = true;
  dontPatchELF = true;

  passthru = { inherit libraries; };

  meta = {
    description = "TCP proxy that can be drained, for upgrades that no client sees";
    license = lib.licenses.mit;
    mainProgram = "disnix-tcp-proxy";
    platforms = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
  };
}
