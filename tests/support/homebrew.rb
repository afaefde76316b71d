# What of Homebrew a formula uses, so that its `install` and its `test` run where there is no Homebrew:
#   ruby homebrew.rb FORMULA SOURCE BINARIES PREFIX
# `cargo install` takes the binaries from a folder; everything else is done.

require "English"
require "fileutils"
require "pathname"
require "tmpdir"

class Pathname
  # A file, files, or a file under another name.
  def install(what)
    mkpath
    renamed = what.is_a?(Hash) ? what : Array(what).to_h { |file| [file, File.basename(file)] }
    renamed.each { |from, to| FileUtils.cp(from, join(to)) }
  end

  def install_symlink(links)
    links.each { |target, name| FileUtils.ln_s(target, join(name)) }
  end
end

class Formula
  class << self
    attr_reader :values, :tested

    def method_missing(name, *values)
      (@values ||= {})[name] = values
    end

    def respond_to_missing?(*) = true

    def test(&block)
      @tested = block
    end
  end

  PREFIX = Pathname(ARGV[3])
  def bin = PREFIX / "bin"
  def man1 = PREFIX / "share/man/man1"
  def bash_completion = PREFIX / "etc/bash_completion.d"
  def zsh_completion = PREFIX / "share/zsh/site-functions"
  def fish_completion = PREFIX / "share/fish/vendor_completions.d"
  def version = self.class.values.fetch(:version).first
  def testpath = Pathname(Dir.pwd)
  def std_cargo_args = ["--locked", "--root", PREFIX.to_s, "--path", "."]

  def system(program, *arguments)
    if program == "cargo"
      raise "not in the source" unless File.exist?("Cargo.toml")

      return bin.install(Dir["#{ARGV[2]}/alchemy{,-exec}"])
    end
    Kernel.system(program.to_s, *arguments, exception: true)
  end

  def shell_output(line, status = 0)
    output = `#{line}`
    raise "#{line}: #{$CHILD_STATUS}" unless $CHILD_STATUS.exitstatus == status

    output
  end

  def assert_match(expected, actual)
    raise "#{expected} in #{actual}" unless actual.include?(expected)
  end

  def assert_equal(expected, actual)
    raise "#{expected} is not #{actual}" unless expected == actual
  end
end

require File.expand_path(ARGV[0])
formula = Alchemy.new
Dir.chdir(ARGV[1]) { formula.install }
Dir.mktmpdir { |folder| Dir.chdir(folder) { formula.instance_exec(&Alchemy.tested) } }
