# Completes alchemy's command lines in fish. Printed by `alchemy completions fish`.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.

function __alchemy_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # A quote that is still open is fish's business.
    set -l plain (string replace -r '^[\'"]' '' -- "$current")
    set -l answer (command __ALCHEMY__ __complete fish -- $words "$plain" 2>/dev/null)
    set -l kind "$answer[1]"
    set -e answer[1]
    switch $kind
        case values
            printf '%s\n' $answer
        case directories
            __fish_complete_directories "$current"
        case 'command *'
            for done in (seq (string replace 'command ' '' -- $kind))
                set -e words[1]
            end
            complete -C (string join ' ' -- (string escape -- $words) "$current")
    end
end

complete -c alchemy -f -k -a '(__alchemy_complete)'
complete -c alchemy-exec -f -k -a '(__alchemy_complete)'
