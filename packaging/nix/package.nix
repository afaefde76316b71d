# What the flake builds; also for `callPackage` in a configuration without flakes.
{ lib, rustPlatform, installShellFiles, stdenv }:

let
  manifest = (lib.importTOML ../../Cargo.toml).package;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  # What Cargo.toml's `include` packs, too: a change of anything else builds nothing anew.
  src = lib.fileset.toSource {
    root = ../..;
    fileset = lib.fileset.unions [
      ../../Cargo.toml
      ../../Cargo.lock
      ../../build.rs
      ../../benches
      ../../src
      ../../shell
    ];
  };
  cargoLock.lockFile = ../../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # They want a session bus, shells and packages from npm: tests/run installs what they need.
  doCheck = false;

  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    $out/bin/alchemy completions --out completions
    installShellCompletion --bash --name alchemy completions/alchemy.bash
    installShellCompletion --bash --name alchemy-exec completions/alchemy.bash
    installShellCompletion --zsh completions/_alchemy
    installShellCompletion --fish completions/alchemy.fish
    installShellCompletion --fish --name alchemy-exec.fish completions/alchemy.fish
    $out/bin/alchemy man --out man
    installManPage man/*.1
  '';

  meta = {
    inherit (manifest) description;
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = "alchemy";
    platforms = lib.platforms.linux ++ lib.platforms.darwin;
  };
}
