# Gives fish the Cloudflare credentials of the directory's profile, and takes them away on leaving. In config.fish:
#     alchemy hook fish | source
#
# At a prompt and after `cd` it looks, with builtins only, whether anything has changed since `alchemy hook-env` ran
# last. Only then that runs, and what it prints calls the functions below. What children must not see is kept in
# globals that are not exported.

status is-interactive; or return 0

# The names of the variables that are in our hands. Of each NAME:
#     __alchemy_ours_NAME     what we made it; empty: we took it away
#     __alchemy_flags_NAME    how the global was set before; empty: there was none
#     __alchemy_before_NAME   what it was before
set -qg __alchemy_table; or set -gu __alchemy_table
# Those of them that are what they were before, until `__alchemy_drop`.
set -qg __alchemy_lifted; or set -gu __alchemy_lifted

function __alchemy_hook --on-event fish_prompt --on-variable PWD
    # fish traces no event handlers, unless `fish_trace` is "all" (after 3.6): that must not show our values.
    set -l fish_trace
    set -l generation
    set -l pin
    begin
        # What is no regular file could block, and of what has become large nothing is read: it has changed. fish warns
        # of a missing file, wherever stderr goes.
        set -l fish_read_limit 65536
        test -f "$__alchemy_generation_file"; and read -z generation <$__alchemy_generation_file
        test -f "$__alchemy_pin_file"; and read -z pin <$__alchemy_pin_file
    end
    set -q __alchemy_due[1]; and __alchemy_clock
    if test "x$PWD:$ALCHEMY_ACTIVE:$ALCHEMY_PROFILE:$CLOUDFLARE_PROFILE" = "x$__alchemy_place" \
            -a "x$generation" = "x$__alchemy_generation" -a "x$pin" = "x$__alchemy_pin"
        set -q __alchemy_due[1]; and test $__alchemy_now -ge $__alchemy_due; or return
    else if test "x$generation" = "x$__alchemy_generation"; and __alchemy_is_plain
        # From one directory where nothing has a say to another one: nothing is to be done.
        set -gu __alchemy_place "$PWD:$ALCHEMY_ACTIVE:$ALCHEMY_PROFILE:$CLOUDFLARE_PROFILE"
        set -gu __alchemy_pin_file
        set -gu __alchemy_pin
        return
    end
    # In a command substitution, as completions are, nothing is said and only what is stored counts: the next prompt
    # does the rest. (The directory of a substitution is the shell's own, which stays where it went.)
    set -l manner
    if status is-command-substitution
        set manner --silent --offline
    else if test "$argv[1]" = VARIABLE
        not test -t 2; or __alchemy_awaits_direnv; and set manner --silent
    end
    set -l before $__alchemy_place

    # Whatever becomes of this run, the next one is when something changes again.
    set -gu __alchemy_place "$PWD:$ALCHEMY_ACTIVE:$ALCHEMY_PROFILE:$CLOUDFLARE_PROFILE"
    set -gu __alchemy_generation "$generation"
    set -gu __alchemy_pin "$pin"
    set -gu __alchemy_due
    if not set -q __alchemy_is_around; and not status is-command-substitution; and __alchemy_surround_direnv
        # Who has been moved is not called any more at this prompt.
        __alchemy_before_direnv
        __direnv_export_eval
        __alchemy_after_direnv
        return
    end
    # What is local to whoever calls `cd` is gone when that returns: here, it is gone now.
    set -l locals (set --names --local --export)
    set -q locals[1]; and set -el $locals
    set -l script
    # Ctrl-C does not end a function half-way while there is a handler for it.
    function __alchemy_interrupt --on-signal INT
    end
    if test -x __ALCHEMY__
        # It sees what is below ours: the person's own, or direnv's.
        set -l found "$ALCHEMY_ACTIVE"
        test -n "$found"; or set found "$__alchemy_inherited"
        set -gu __alchemy_inherited
        __alchemy_lift
        set script (command __ALCHEMY__ hook-env fish --active "$__alchemy_active" --told "$__alchemy_told" \
            --found "$found" $manner </dev/null)
        __alchemy_drop
    end
    if not string match -q -- '*__alchemy_state*' "$script"
        # Nobody knows what belongs here: what belongs elsewhere does not.
        if test "x$PWD:" != "x"(string sub --length (builtin math (string length -- "$PWD") + 1) -- "$before")
            __alchemy_leave
            set -gu __alchemy_active
        end
        builtin functions --erase __alchemy_interrupt
        return
    end
    set -gu __alchemy_bound_of
    builtin eval $script # one line; to pipe it into `source` takes longer
    builtin functions --erase __alchemy_interrupt
    set -gu __alchemy_place "$PWD:$ALCHEMY_ACTIVE:$ALCHEMY_PROFILE:$CLOUDFLARE_PROFILE"
    status is-command-substitution; and set -gu __alchemy_place
end

# Before direnv acts, ours is taken away: what direnv finds it puts back later, and what it puts back it puts over
# ours. After it, ours is put on top again.
function __alchemy_before_direnv
    set -l fish_trace
    # direnv has acted without us around it: its functions are new.
    test "x$DIRENV_DIFF" = "x$__alchemy_loaded"; or __alchemy_surround_direnv
    # What was inherited from another shell has nothing below it that anybody knew; direnv's own is direnv's.
    if test -z "$__alchemy_active" -a -n "$ALCHEMY_ACTIVE"; and not string match -q -- '*/.envrc:*' "$ALCHEMY_ACTIVE"
        set -gu __alchemy_inherited "$ALCHEMY_ACTIVE"
        test -x __ALCHEMY__
        and builtin eval (command __ALCHEMY__ hook-env fish --found "$ALCHEMY_ACTIVE" --leave </dev/null)
        set -gu __alchemy_place # what comes after direnv looks again
    end
    __alchemy_lift
end

function __alchemy_after_direnv
    set -l fish_trace
    __alchemy_drop
    # What direnv has loaded may select another profile.
    test "x$DIRENV_DIFF" = "x$__alchemy_loaded"; or set -gu __alchemy_place
    set -gu __alchemy_loaded "$DIRENV_DIFF"
    __alchemy_look $argv
end

# Has our functions called before and after direnv's. fish calls them in the order in which they were defined.
function __alchemy_surround_direnv
    builtin functions -q __direnv_export_eval; or return
    set -gu __alchemy_is_around
    if builtin functions -q __alchemy_hook
        # A copy is not called by itself.
        builtin functions --erase __alchemy_look
        builtin functions --copy __alchemy_hook __alchemy_look
        builtin functions --erase __alchemy_hook
    end
    function __alchemy_before_prompt --on-event fish_prompt --on-variable PWD
        __alchemy_before_direnv
    end
    function __alchemy_before_command --on-event fish_preexec
        set -q __direnv_export_again; and __alchemy_before_direnv
    end
    for name in __direnv_export_eval __direnv_export_eval_2
        builtin functions -q $name; and builtin functions $name | builtin source
    end
    function __alchemy_after_command --on-event fish_preexec
        set -q __alchemy_lifted[1]; and __alchemy_after_direnv
    end
    function __alchemy_after_prompt --on-event fish_prompt
        __alchemy_after_direnv
        # direnv defines what it does at a change of PWD at each prompt.
        function __alchemy_after_cd --on-variable PWD
            __alchemy_after_direnv $argv
        end
    end
    function __alchemy_after_cd --on-variable PWD
        __alchemy_after_direnv $argv
    end
end

# Whether direnv has a say here, which it has at the next prompt only: what it loads may select another profile.
function __alchemy_awaits_direnv
    set -q __alchemy_is_around; or return
    set -l at "$PWD"
    while not test -e "$at/.envrc"
        test -n "$at"; or return
        set at (string replace --regex '/[^/]*$' '' -- "$at")
    end
end

# Whether nothing is active, and no directory from here upward is bound or has a project file; false where builtins
# cannot tell.
function __alchemy_is_plain
    test "$__alchemy_bound_of" = "for $ALCHEMY_HOME:$HOME"; or return
    test -z "$__alchemy_active$__alchemy_due$ALCHEMY_ACTIVE$ALCHEMY_PROFILE$CLOUDFLARE_PROFILE$DIRENV_DIR"; or return
    set -q __alchemy_table[1]; and return 1
    # Nothing tells of changes.
    test -n "$__alchemy_generation" -o ! -e "$__alchemy_generation_file"; or return
    set -l at (builtin pwd -P)
    test (count $at) -eq 1; or return
    test "$at" = /; and set at ""
    while true
        test -e "$at/.alchemy.toml" -o -L "$at/.alchemy.toml"; and return 1
        builtin contains -- "$at" $__alchemy_bound; and return 1
        # A linked git worktree is covered by the bindings of its main one.
        set -q __alchemy_bound[1]; and test -f "$at/.git"; and return 1
        test -n "$at"; or return 0
        set at (string replace --regex '/[^/]*$' '' -- "$at")
    end
end

# The arguments are the directories that are bound, each with its depth: `2:/home/acme`.
function __alchemy_bound
    set -gu __alchemy_bound_of "for $ALCHEMY_HOME:$HOME"
    set -gu __alchemy_bound (string replace --regex '^[0-9]+:/?' / -- $argv)
    set -gu __alchemy_bound (string replace --regex '^/$' '' -- $__alchemy_bound)
end

# Sets `__alchemy_now` to the seconds of a clock that does not stop while the machine sleeps. No builtin of fish tells
# the time: on Linux the uptime does, elsewhere a file's time and age together (slower, and 0 in versions before 3.6).
if test -r /proc/uptime
    function __alchemy_clock
        read -gu __alchemy_now _ </proc/uptime
    end
else
    function __alchemy_clock
        set -l then_and_since (builtin path mtime / 2>/dev/null; and builtin path mtime --relative /)
        set -gu __alchemy_now (builtin math (string join + 0 $then_and_since))
    end
end

# Whether NAME is what we made it. Where a universal variable shines through, an empty global is what takes it away.
function __alchemy_is_ours
    set -el $argv[1] # a copy of what is local to whoever calls `cd`
    set -l ours __alchemy_ours_$argv[1]
    if set -q $ours'[1]'
        set -qgx $argv[1]; and test "x$$argv[1]" = "x$$ours"
    else
        not set -qg $argv[1]; or set -qgx $argv[1]; and not set -q $argv[1]'[1]'
    end
end

# Whether we may change NAME: the first time its global is saved, later it must still be ours.
function __alchemy_take
    if builtin contains -- $argv[1] $__alchemy_table
        __alchemy_is_ours $argv[1]
        return
    end
    __alchemy_remember $argv[1]
    set -gua __alchemy_table $argv[1]
    return 0
end

# Keeps what the global NAME is now.
function __alchemy_remember
    set -el $argv[1]
    set -l flags
    set -eg __alchemy_before_$argv[1]
    if set -qg $argv[1]
        set -qgx $argv[1]; and set flags --export; or set flags --unexport
        set -qg --path $argv[1]; and set -a flags --path; or set -a flags --unpath
        set -gu __alchemy_before_$argv[1] $$argv[1]
    end
    set -gu __alchemy_flags_$argv[1] $flags
end

function __alchemy_set
    __alchemy_take $argv[1]; or return
    set -gu __alchemy_ours_$argv[1] "$argv[2]"
    set -gx --unpath $argv[1] "$argv[2]"
end

# A universal variable is the person's own setting on disk, for all sessions: it is covered, never deleted.
function __alchemy_unset
    builtin contains -- $argv[1] $__alchemy_table; or set -qgx $argv[1]; or set -qUx $argv[1]; or return
    __alchemy_take $argv[1]; or return
    set -gu __alchemy_ours_$argv[1]
    set -eg $argv[1]
    set -qUx $argv[1]; and set -gx $argv[1]
end

function __alchemy_leave
    __alchemy_lift
    for name in $__alchemy_table
        set -eg __alchemy_ours_$name __alchemy_flags_$name __alchemy_before_$name
    end
    set -gu __alchemy_table
    set -gu __alchemy_lifted
end

# Puts back what was there before, for as long as somebody acts who is to find that. What the person has changed stays.
function __alchemy_lift
    for name in $__alchemy_table
        builtin contains -- $name $__alchemy_lifted; and continue
        __alchemy_is_ours $name; or continue
        set -l flags __alchemy_flags_$name
        set -l before __alchemy_before_$name
        set -eg $name
        set -q $flags'[1]'; and set -g $$flags $name $$before
        set -gua __alchemy_lifted $name
    end
end

# Puts ours on top again, of whatever is there by now.
function __alchemy_drop
    for name in $__alchemy_lifted
        __alchemy_remember $name
        set -l ours __alchemy_ours_$name
        if set -q $ours'[1]'
            set -gx --unpath $name "$$ours"
        else
            set -eg $name
            set -qUx $name; and set -gx $name
        end
    end
    set -gu __alchemy_lifted
end

function __alchemy_adopt
    set -gu __alchemy_table
    set -gu __alchemy_lifted
    for name in $argv
        set -qgx $name; or continue
        set -gu __alchemy_ours_$name "$$name"
        set -gu __alchemy_flags_$name
        set -gua __alchemy_table $name
    end
end

function __alchemy_state
    set -gu __alchemy_active $argv[1]
    set -gu __alchemy_generation_file $argv[2]
    set -gu __alchemy_generation $argv[3]
    set -gu __alchemy_pin_file $argv[4]
    set -gu __alchemy_pin $argv[5]
    set -gu __alchemy_told $argv[8]
    if test -n "$argv[6]"
        __alchemy_clock
        set -gu __alchemy_due (builtin math -- $argv[6] - $argv[7] + $__alchemy_now)
    end
end

# direnv's line may have come before this one.
set -eg __alchemy_is_around
set -gu __alchemy_loaded "$DIRENV_DIFF"
__alchemy_surround_direnv
true
