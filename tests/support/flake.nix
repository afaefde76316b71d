# What packaging/nix says, with a stand-in for nixpkgs, which cannot be had without a network:
#   nix-instantiate --eval --strict --json --argstr packaging PATH flake.nix
{ packaging }:

let
  given = {
    lib = {
      importTOML = file: builtins.fromTOML (builtins.readFile file);
      fileset = {
        unions = map (path: if builtins.pathExists path then baseNameOf path else throw "no ${toString path}");
        toSource = { root, fileset }: assert builtins.pathExists (root + "/Cargo.toml"); fileset;
      };
      optionalString = condition: text: if condition then text else "";
      licenses = { mit = "MIT"; asl20 = "Apache-2.0"; };
      platforms = { linux = [ "linux" ]; darwin = [ "darwin" ]; };
    };
    rustPlatform.buildRustPackage = arguments: arguments;
    installShellFiles = "installShellFiles";
    stdenv = { buildPlatform.canExecute = _: true; hostPlatform = { }; };
  };
  callPackage = file: more:
    let package = import file; in package (builtins.intersectAttrs (builtins.functionArgs package) given // more);
  pkgs = { inherit callPackage; };
  outputs = (import (packaging + "/nix/flake.nix")).outputs {
    self = { };
    nixpkgs = {
      lib.genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
      legacyPackages = { x86_64-linux = pkgs; aarch64-linux = pkgs; x86_64-darwin = pkgs; aarch64-darwin = pkgs; };
    };
  };
in
{
  systems = builtins.attrNames outputs.packages;
  package = outputs.packages.aarch64-darwin.default;
  overlay = (outputs.overlays.default pkgs { }).alchemy.pname;
}
