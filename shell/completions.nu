# Completes alchemy's command lines in Nushell. Printed by `alchemy completions nu`; for `source` in config.nu.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.
# A completer for other commands (carapace, …) that is set before this line stays in force.

do --env {
    let previous = $env.config.completions.external.completer?
    $env.config.completions.external.completer = {|spans: list<string>|
        let other = {|spans| if $previous == null { null } else { do $previous $spans } }
        if ($spans.0 | path basename) not-in [alchemy alchemy-exec] {
            return (do $other $spans)
        }
        let answer = try { ^__ALCHEMY__ __complete nu -- ...$spans e> /dev/null | lines } catch { [] }
        let kind = $answer.0? | default ""
        let values = $answer | skip 1 | parse --regex '^(?P<value>[^\t]*)\t?(?P<description>.*)$'
        if $kind starts-with "command " and ($values | is-empty) {
            do $other ($spans | skip ($kind | str replace "command " "" | into int))
        } else if $kind == directories or $kind == "" {
            null # files
        } else {
            $values
        }
    }
}
