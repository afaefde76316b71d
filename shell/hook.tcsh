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
#   __alchemy_until  the time of the next call in seconds, or 0; __alchemy_clock: the file that tells it
#   __alchemy_was_NAME, __alchemy_ours_NAME  the table: (yes VALUE), or (no "") where it was not set
if (! $?__alchemy_until) set __alchemy_active __alchemy_told __alchemy_table __alchemy_seen __alchemy_files = (/ 0 / 0) __alchemy_until = 0 __alchemy_clock ;
set __alchemy_binary = __ALCHEMY__ ;
alias __alchemy_ask '"$__alchemy_binary:q" hook-env tcsh --active "$__alchemy_active:q" --told "$__alchemy_told:q" --table "$__alchemy_table:q"' ;

# What tcsh echoes would show the values.
alias __alchemy_quiet 'set __alchemy_trace = ($?verbose $?echo); unset verbose echo' ;
alias __alchemy_loud 'if ($__alchemy_trace[1]) set verbose; if ($__alchemy_trace[2]) set echo' ;

# A variable that is not set may not even be named, hence eval.
alias __alchemy_look 'set __alchemy_here = ("$cwd:q" - - -); if ($?ALCHEMY_ACTIVE) eval set __alchemy_here\[2\]=\"=\$ALCHEMY_ACTIVE:q\"; if ($?ALCHEMY_PROFILE) eval set __alchemy_here\[3\]=\"=\$ALCHEMY_PROFILE:q\"; if ($?CLOUDFLARE_PROFILE) eval set __alchemy_here\[4\]=\"=\$CLOUDFLARE_PROFILE:q\"' ;

# tcsh cannot tell the time without a process, but the file system does when a file is emptied.
alias __alchemy_check '__alchemy_look; if ($__alchemy_until && -w "$__alchemy_clock:q") eval : \>\! \"\$__alchemy_clock:q\"; if ("$__alchemy_here:q" != "$__alchemy_seen:q" || -M "$__alchemy_files[1]:q" != $__alchemy_files[2] || -M "$__alchemy_files[3]:q" != $__alchemy_files[4] || ($__alchemy_until && -M "$__alchemy_clock:q" >= $__alchemy_until)) eval __alchemy_run' ;

# What is noted first holds when the call fails: it is not made again before something changes.
alias __alchemy_run 'set __alchemy_seen = "$__alchemy_here:q"; @ __alchemy_files[2] = -M "$__alchemy_files[1]:q"; @ __alchemy_files[4] = -M "$__alchemy_files[3]:q"; set __alchemy_until = 0; if (-x "$__alchemy_binary:q") eval "`__alchemy_ask`"; __alchemy_look; set __alchemy_seen = "$__alchemy_here:q"' ;

alias __alchemy_precmd '__alchemy_quiet; __alchemy_check; __alchemy_loud' ;
# Not in scripts, (…) and `…`: the shell's own input or output (16, 17) is not the terminal's there.
alias __alchemy_cwdcmd 'if ($?prompt && ! $?command && -t 16 && -t 17) eval __alchemy_precmd' ;
if ("`alias precmd`" !~ *__alchemy_precmd*) alias precmd "`alias precmd`; __alchemy_precmd" ;
if ("`alias cwdcmd`" !~ *__alchemy_cwdcmd*) alias cwdcmd "`alias cwdcmd`; __alchemy_cwdcmd" ;
