# Keeps the Cloudflare credentials of the directory's profile in tcsh. In ~/.tcshrc, as its last line:
#     if ($?prompt) eval "`alchemy hook tcsh`"
#
# csh has no functions, so these are aliases; hook-env prints the statements that change the environment.
# `alchemy hook` leaves out the lines that begin with `#`, and the eval above joins the others: each is
# one whole statement and ends in `;`. A failing statement would make tcsh drop precmd: none may fail.
#
# Variables of the shell, which programs do not get:
#   __alchemy_active, __alchemy_told, __alchemy_table  what the last call wants to be told by the next one
#   __alchemy_here   what the environment is now; __alchemy_seen: what it was after the last call
#   __alchemy_files  two files that are watched, each with its time of change in seconds (-1: absent)
#   __alchemy_alarm  when tcsh will say that it is time for the next call (`sched`), in seconds, or 0
#   __alchemy_due    1: it has said so
#   __alchemy_manner  how the call is to be: options for `hook-env`
#   __alchemy_was_NAME, __alchemy_ours_NAME  the table: (yes VALUE), or (no "") where it was not set
if (! $?__alchemy_due) set __alchemy_active __alchemy_told __alchemy_table __alchemy_seen __alchemy_files = (/ 0 / 0) __alchemy_alarm = 0 __alchemy_due = 0 ;
set __alchemy_manner = () ;
set __alchemy_binary = __ALCHEMY__ ;
alias __alchemy_ask '"$__alchemy_binary:q" hook-env tcsh --active "$__alchemy_active:q" --told "$__alchemy_told:q" --table "$__alchemy_table:q" $__alchemy_manner:q' ;

# What tcsh echoes would show the values.
alias __alchemy_quiet 'set __alchemy_trace = ($?verbose $?echo); unset verbose echo' ;
alias __alchemy_loud 'if ($__alchemy_trace[1]) set verbose; if ($__alchemy_trace[2]) set echo; unset __alchemy_trace' ;

# Naming a variable that is not set is an error, even behind a false `if`. So there is an alias for each
# case, called by an `eval`; what each statement of a prompt costs is felt, so there is one `if` for all.
alias __alchemy_look_001 'set __alchemy_here = ("$cwd:q" - - "=$CLOUDFLARE_PROFILE:q")' ;
alias __alchemy_look_010 'set __alchemy_here = ("$cwd:q" - "=$ALCHEMY_PROFILE:q" -)' ;
alias __alchemy_look_011 'set __alchemy_here = ("$cwd:q" - "=$ALCHEMY_PROFILE:q" "=$CLOUDFLARE_PROFILE:q")' ;
alias __alchemy_look_100 'set __alchemy_here = ("$cwd:q" "=$ALCHEMY_ACTIVE:q" - -)' ;
alias __alchemy_look_101 'set __alchemy_here = ("$cwd:q" "=$ALCHEMY_ACTIVE:q" - "=$CLOUDFLARE_PROFILE:q")' ;
alias __alchemy_look_110 'set __alchemy_here = ("$cwd:q" "=$ALCHEMY_ACTIVE:q" "=$ALCHEMY_PROFILE:q" -)' ;
alias __alchemy_look_111 'set __alchemy_here = ("$cwd:q" "=$ALCHEMY_ACTIVE:q" "=$ALCHEMY_PROFILE:q" "=$CLOUDFLARE_PROFILE:q")' ;
alias __alchemy_look 'set __alchemy_here = ("$cwd:q" - - -); if ($?ALCHEMY_ACTIVE || $?ALCHEMY_PROFILE || $?CLOUDFLARE_PROFILE) eval __alchemy_look_$?ALCHEMY_ACTIVE$?ALCHEMY_PROFILE$?CLOUDFLARE_PROFILE' ;

# What is noted first holds when the call fails: it is not made again before something changes.
alias __alchemy_run 'set __alchemy_seen = "$__alchemy_here:q" __alchemy_due = 0; @ __alchemy_files[2] = -M "$__alchemy_files[1]:q"; @ __alchemy_files[4] = -M "$__alchemy_files[3]:q"; if (-x "$__alchemy_binary:q") eval "`__alchemy_ask`"; __alchemy_look; set __alchemy_seen = "$__alchemy_here:q"' ;

alias __alchemy_precmd 'if ($?verbose || $?echo) eval __alchemy_quiet; __alchemy_look; if ($__alchemy_due || "$__alchemy_here:q" != "$__alchemy_seen:q" || -M "$__alchemy_files[1]:q" != $__alchemy_files[2] || -M "$__alchemy_files[3]:q" != $__alchemy_files[4]) eval __alchemy_run; if ($?__alchemy_trace) eval __alchemy_loud' ;
# Not in scripts. In (…) and `…`, where the shell's own input or output (16, 17) is not the terminal's, only to take
# away what is of another directory, or to put what is stored in its place.
alias __alchemy_cwdcmd 'if ($?prompt && ! $?command) eval __alchemy_moved' ;
alias __alchemy_moved 'if (-t 16 && -t 17) eval __alchemy_precmd; if (! (-t 16 && -t 17) && "$__alchemy_active:q" != "") eval __alchemy_inner' ;
alias __alchemy_inner 'set __alchemy_manner = (--silent --offline); eval __alchemy_precmd; set __alchemy_manner = ()' ;
if (! ("`alias precmd`" =~ *__alchemy_precmd*)) alias precmd "`alias precmd`; __alchemy_precmd" ;
if (! ("`alias cwdcmd`" =~ *__alchemy_cwdcmd*)) alias cwdcmd "`alias cwdcmd`; __alchemy_cwdcmd" ;
