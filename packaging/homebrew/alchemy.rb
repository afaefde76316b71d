# The Homebrew formula, for a tap. It builds from source, so that one address and one checksum serve every
# Mac and Linux. packaging/release fills in the values between the at signs.
class Alchemy < Formula
  desc "Cloudflare credentials for any command, in the style of aws-vault"
  homepage "@URL@"
  url "@URL@/alchemy-@VERSION@.crate"
  version "@VERSION@"
  sha256 "@SHA256@"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    # Those that name `alchemy` alone: what the binary prints for a shell has the path of this version in it.
    system bin/"alchemy", "completions", "--out", "completions"
    bash_completion.install "completions/alchemy.bash" => "alchemy"
    zsh_completion.install "completions/_alchemy"
    fish_completion.install "completions/alchemy.fish"
    # Both load a completion by the name of the command.
    bash_completion.install_symlink "alchemy" => "alchemy-exec"
    fish_completion.install_symlink "alchemy.fish" => "alchemy-exec.fish"
    system bin/"alchemy", "man", "--out", "man"
    man1.install Dir["man/*.1"]
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/alchemy --version")
    ENV["ALCHEMY_HOME"] = "#{testpath}/alchemy"
    ENV["CI"] = "true"
    ENV["CLOUDFLARE_API_TOKEN"] = "not-a-token"
    ENV["CLOUDFLARE_ACCOUNT_ID"] = "0" * 32
    shown = shell_output("#{bin}/alchemy-exec -- printenv CLOUDFLARE_API_TOKEN")
    assert_equal "not-a-token", shown.chomp
  end
end
