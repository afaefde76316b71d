{
  description = "Cloudflare credentials for any command, in the style of aws-vault";

  # In a folder of its own: nix run 'git+file:.?dir=packaging/nix'. A release of nixpkgs is pinned by
  # flake.lock, which `nix flake lock` writes at the first use.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: rec {
        alchemy = pkgs.callPackage ./package.nix { };
        default = alchemy;
      });
      overlays.default = final: _: { alchemy = final.callPackage ./package.nix { }; };
    };
}
