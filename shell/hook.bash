# alchemy's hook for bash, 3.2 and newer. In ~/.bashrc:  eval "$(alchemy hook bash)"
#
# A prompt starts no process unless the directory, the pin file in force, what alchemy knows, or the clock
# says so; then one `alchemy hook-env` prints calls of the functions below. `cd` and its like are wrapped, so that the
# next command of the same line has the new directory's credential. What was there before is kept in arrays, which
# no child can see. Names of builtins have a backslash, so that nobody's alias is meant; texts are
# compared by `[` and not by `[[`, so that nocasematch does not count.
# shellcheck shell=bash

# Exported, our variables and functions would be another shell's state.
case $- in *a*) \set +a && __alchemy_text=a ;; *) __alchemy_text= ;; esac

# What must outlive a second reading of this file.
: "${__alchemy_active=}" "${__alchemy_told=}"
: "${__alchemy_generation_file=}" "${__alchemy_generation=}" "${__alchemy_pin_file=}" "${__alchemy_pin=}"
: "${__alchemy_until=}" "${__alchemy_offset=0}"
if [ -z "${__alchemy_names+set}" ]; then
  __alchemy_names=()  # of the variables that we have changed
  __alchemy_before=() # what they were: `x=value` when exported, `n=value` when not; not set, `x` or empty
  __alchemy_ours=()   # what we made them: `=value`, or empty when not set
  __alchemy_lifted=() # 1 for each that is what it was before, until `__alchemy_drop`
fi
__alchemy_astray=() # by threes, what we made variables that were another's when we were to let go of them: name, value, before
__alchemy_seen=
__alchemy_loaded= # what direnv had loaded then
__alchemy_inherited= # what was active, from another shell, and has been taken away before direnv acts
__alchemy_bound=()  # the directories that are bound, each with its depth: `2:/home/acme`
__alchemy_bound_of= # the data folder that they are from; empty when they are not known
__alchemy_here= # is no other shell's: one that inherits PROMPT_COMMAND has none of our functions
__alchemy_is_fixed= # whether PROMPT_COMMAND cannot be changed
__alchemy_moving=' ' # the wrappers that are running what they wrap, each between blanks

# Short, and the rest in other functions: bash copies a function's body each time that it is called.
__alchemy_hook() {
  \local __alchemy_status="$?" REPLY
  if [ "${PWD-}:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}" != "$__alchemy_seen" ] ||
    __alchemy_changed; then
    __alchemy_ask prompt
  fi
  \return "$__alchemy_status" # for whoever comes after us in one string with us
}

# Runs `cd`, or what the person has made of it, and then sees to the new directory. Plainly under `set -e`, which `||`
# would take out of the person's function; else with `||`, so that a trap for ERR runs once.
__alchemy_move() {
  \local __alchemy_moving="$__alchemy_moving$1 " __alchemy_status=0
  if [[ -o errexit ]]; then
    "$@"
    __alchemy_status=$?
  else
    "$@" || __alchemy_status=$?
  fi
  [ "${PWD-}:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}" = "$__alchemy_seen" ] ||
    __alchemy_ask move
  \return "$__alchemy_status"
}

# $1: `prompt`, `move` or `inherited` has `hook-env` say what to do; `recover`, `lift` or `drop`.
__alchemy_ask() {
  \local __alchemy_flags="$-" REPLY
  # No secret is traced, nor shown to a DEBUG trap, and nothing of ours exported. From 4.4 on the options come
  # back also after Ctrl-C.
  \local - 2>/dev/null || :
  { \set +axvET; } 2>/dev/null
  case $1 in
    recover | lift | drop) "__alchemy_$1" ;;
    *) __alchemy_update "$1" ;;
  esac
  case $__alchemy_flags in *a*) \set -a ;; esac
  # These have another meaning as small letters, which nocasematch would have `case` take for them.
  [ "${__alchemy_flags%%E*}" = "$__alchemy_flags" ] || \set -E
  [ "${__alchemy_flags%%T*}" = "$__alchemy_flags" ] || \set -T
  case $__alchemy_flags in *v*) \set -v ;; esac
  case $__alchemy_flags in *x*) \set -x ;; esac
}

# A function of its own, which a trap for DEBUG does not reach after `set +T`: that would see each command.
__alchemy_update() {
  \local __alchemy_text __alchemy_refused='' __alchemy_silent='' __alchemy_offline='' __alchemy_near
  \local __alchemy_found="${ALCHEMY_ACTIVE:-$__alchemy_inherited}" __alchemy_leave=''
  __alchemy_drop
  __alchemy_recover "$1"
  [ "$1" != inherited ] || __alchemy_leave=--leave
  # In a subshell, and while a word is completed, nothing is said, and only what is stored counts.
  if [ "${BASH_SUBSHELL-0}" -gt 0 ] || [ -n "${COMP_LINE+set}" ]; then
    __alchemy_silent=--silent __alchemy_offline=--offline
  elif [ "$1" = move ] && { [ -n "${READLINE_LINE+set}" ] || [ ! -t 2 ] || __alchemy_awaits_direnv; }; then
    __alchemy_silent=--silent # the next prompt says it
  fi
  if [ "$1" = prompt ] && __alchemy_went; then
    __alchemy_wrap
  fi
  if ! __alchemy_went || [ -n "$__alchemy_leave" ] || ! __alchemy_settle; then
    [ -n "$__alchemy_offline" ] || __alchemy_surround_direnv
    # It sees what is below ours: the person's own, or direnv's.
    __alchemy_text=$(
      __alchemy_lift
      \exec __ALCHEMY__ hook-env bash --active "$__alchemy_active" --told "$__alchemy_told" \
        --found "$__alchemy_found" ${__alchemy_leave:+"$__alchemy_leave"} \
        ${__alchemy_silent:+"$__alchemy_silent"} ${__alchemy_offline:+"$__alchemy_offline"} </dev/null
    ) || __alchemy_text=
    case $__alchemy_text in
      *__alchemy_state*)
        __alchemy_bound_of=
        __alchemy_seen=${PWD-}:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-} # should it not come back
        \eval "$__alchemy_text"
        ;;
      *)
        # Nobody knows what belongs here: what belongs elsewhere does not.
        if __alchemy_went; then
          __alchemy_leave
          __alchemy_active=
        fi
        ;;
    esac
  fi
  __alchemy_seen=${PWD-}:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}
  __alchemy_loaded=${DIRENV_DIFF-} __alchemy_inherited=''
  # At a prompt no function runs whose variables could come back. Elsewhere the next prompt looks.
  [ "$1" != prompt ] || __alchemy_astray=()
  [ "${#__alchemy_astray[@]}" -eq 0 ] || __alchemy_seen=${PWD-}:
  # The prompt that comes after the completion looks for itself.
  [ -z "${COMP_LINE+set}" ] || __alchemy_seen=
}

# Whether direnv has a say here, which it has at the next prompt only: what it loads may select another profile.
__alchemy_awaits_direnv() {
  \local __alchemy_at="${PWD-}" IFS=' '
  case "${PROMPT_COMMAND[*]-}" in *_direnv_hook*) ;; *) \return 1 ;; esac
  until [ -e "$__alchemy_at/.envrc" ]; do
    [ -n "$__alchemy_at" ] || \return 1
    __alchemy_at=${__alchemy_at%"/${__alchemy_at##*/}"}
  done
}

# Whether the directory is another one than when we looked last.
__alchemy_went() {
  \local __alchemy_at="${PWD-}:"
  [ "${__alchemy_seen:0:${#__alchemy_at}}" != "$__alchemy_at" ]
}

# Sees to the new directory without a process, where that is certain: nothing is bound or asked for there and nothing
# is active; or, offline, nothing new has a say.
__alchemy_settle() {
  if [ -z "$__alchemy_seen$__alchemy_active${ALCHEMY_ACTIVE-}" ]; then
    # Before the first prompt there is nothing to take away from a subshell.
    [ -n "$__alchemy_offline" ]
    \return
  fi
  [ "$__alchemy_bound_of" = "${ALCHEMY_HOME-}:${HOME-}" ] && [ -z "${CLOUDFLARE_PROFILE-}${DIRENV_DIR-}" ] &&
    [ "${ALCHEMY_ACTIVE-}" = "$__alchemy_active" ] && [ "${ALCHEMY_PROFILE-}" = "${__alchemy_active##*:}" ] ||
    \return 1
  if [ -z "$__alchemy_active" ]; then
    [ "${#__alchemy_names[@]}" -eq 0 ] || \return 1
  elif [ -z "$__alchemy_offline" ]; then
    \return 1
  fi
  # Somebody's own hand has been in the bindings, or nothing tells of their changes.
  [ ! "${__alchemy_generation_file%/*}/bindings.json" -nt "$__alchemy_generation_file" ] || \return 1
  [ -n "$__alchemy_generation" ] || [ ! -e "$__alchemy_generation_file" ] || \return 1
  ! __alchemy_changed && __alchemy_look_up || \return 1
  if [ -z "$__alchemy_near" ]; then
    __alchemy_leave
    __alchemy_active='' __alchemy_pin_file='' __alchemy_pin='' __alchemy_until=''
  else
    [ -n "$__alchemy_active" ] && [ "$__alchemy_near" -ef "${__alchemy_active%:*}" ]
  fi
}

# Sets `__alchemy_near` to the way to the nearest directory, from here upward, that is bound or has a project file; to
# nothing where there is none. False where builtins cannot tell. The way is the kernel's: what links and capitals have
# made of PWD does not count.
__alchemy_look_up() {
  \local __alchemy_at=0 __alchemy_up=. __alchemy_nearest=-1 __alchemy_ways __alchemy_directory
  \local __alchemy_count="${#__alchemy_bound[@]}" __alchemy_step
  __alchemy_ways=()
  while :; do
    __alchemy_ways[__alchemy_at]=$__alchemy_up
    if [ -e "$__alchemy_up/.alchemy.toml" ] || [ -L "$__alchemy_up/.alchemy.toml" ]; then
      [ "$__alchemy_nearest" -ge 0 ] || __alchemy_nearest=$__alchemy_at
    fi
    # A linked git worktree is covered by the bindings of its main one.
    [ "$__alchemy_count" -eq 0 ] || [ ! -f "$__alchemy_up/.git" ] || \return 1
    [ ! "$__alchemy_up" -ef "$__alchemy_up/.." ] || \break
    [ "$__alchemy_at" -lt 64 ] || \return 1
    __alchemy_at=$((__alchemy_at + 1))
    if [ "$__alchemy_up" = . ]; then __alchemy_up=..; else __alchemy_up=../$__alchemy_up; fi
  done
  while [ "$__alchemy_count" -gt 0 ]; do
    __alchemy_count=$((__alchemy_count - 1))
    __alchemy_directory=${__alchemy_bound[__alchemy_count]}
    __alchemy_step=$((__alchemy_at - ${__alchemy_directory%%:*}))
    if [ "$__alchemy_step" -ge 0 ] && [ "${__alchemy_ways[__alchemy_step]}" -ef "${__alchemy_directory#*:}" ]; then
      [ "$__alchemy_nearest" -ge 0 ] && [ "$__alchemy_nearest" -le "$__alchemy_step" ] ||
        __alchemy_nearest=$__alchemy_step
    fi
  done
  __alchemy_near=
  [ "$__alchemy_nearest" -lt 0 ] || __alchemy_near=${__alchemy_ways[__alchemy_nearest]}
}

# Wraps what changes the directory, whatever it is by now: `__zoxide_cd` and `_z` are those of zoxide and z, which call
# the builtin. A wrapper holds what it wraps, so that it can be copied, exported and wrapped in its turn. In a shell
# that nobody types into, `cd` stays as it is.
__alchemy_wrap() {
  \local __alchemy_name __alchemy_text __alchemy_alias __alchemy_has_aliases=
  case $- in *i*) ;; *) \return 0 ;; esac
  # An alias may stand for a function by another name.
  __alchemy_alias=$(\alias cd 2>/dev/null) || :
  __alchemy_alias=${__alchemy_alias#*=?}
  __alchemy_alias=${__alchemy_alias%%[!A-Za-z0-9_:.-]*}
  for __alchemy_name in cd pushd popd __zoxide_cd _z "$__alchemy_alias"; do
    __alchemy_text=
    if [ -n "$__alchemy_name" ] && \declare -F "$__alchemy_name" >/dev/null; then
      __alchemy_text=$(\declare -f "$__alchemy_name")
    fi
    case $__alchemy_name$__alchemy_text in
      *__alchemy_move*) \continue ;;
      cd | pushd | popd) __alchemy_text="() { \\builtin $__alchemy_name \${1+\"\$@\"}; }" ;;
    esac
    [ -n "$__alchemy_text" ] || \continue
    # As it is read again, no alias counts, which would be expanded twice.
    if \shopt -q expand_aliases; then
      __alchemy_has_aliases=1
      \shopt -u expand_aliases
    fi
    \eval "function $__alchemy_name {
      case \${__alchemy_moving- $__alchemy_name } in
        *' $__alchemy_name '*)
          ${__alchemy_text#*)}
          ;;
        *)
          if [[ -o errexit ]]; then
            __alchemy_move $__alchemy_name \${1+\"\$@\"}
          else
            __alchemy_move $__alchemy_name \${1+\"\$@\"} || return \"\$?\"
          fi
          ;;
      esac
    }" 2>/dev/null || :
    [ -z "$__alchemy_has_aliases" ] || \shopt -s expand_aliases
  done
}
__alchemy_wrap

__alchemy_bound() {
  __alchemy_bound_of=${ALCHEMY_HOME-}:${HOME-}
  __alchemy_bound=(${1+"$@"})
}

# Whether a file that we watch is not as it was, or the time is up. What is no regular file could block, and what has
# become large is read no further than to see that it has changed. Into REPLY, which is the caller's, `read` puts a
# text as it is.
__alchemy_changed() {
  REPLY=
  # It fails at the end of a file, and succeeds at a NUL.
  [[ ! -f $__alchemy_generation_file || ! -r $__alchemy_generation_file ]] ||
    ! \read -r -d '' -n 65537 <"$__alchemy_generation_file" || \return 0
  [[ $REPLY == "$__alchemy_generation" ]] || \return 0
  if [[ -n $__alchemy_pin_file ]]; then
    REPLY=
    [[ ! -f $__alchemy_pin_file || ! -r $__alchemy_pin_file ]] ||
      ! \read -r -d '' -n 65537 <"$__alchemy_pin_file" || \return 0
    [ "$REPLY" = "$__alchemy_pin" ] || \return 0
  fi
  [[ -n $__alchemy_until ]] || \return 1
  __alchemy_clock
  [[ $REPLY -ge $__alchemy_until ]]
}

# The time, in seconds of Unix time. The variable is the fastest, but somebody may have unset it.
if ((BASH_VERSINFO[0] >= 5)); then
  __alchemy_clock() { REPLY=${EPOCHSECONDS:-$((${SECONDS-0} + __alchemy_offset))}; }
elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 402)); then
  __alchemy_clock() { \printf -v REPLY '%(%s)T' -1; }
else
  __alchemy_clock() { REPLY=$((${SECONDS-0} + __alchemy_offset)); }
fi

__alchemy_state() {
  __alchemy_active=$1
  __alchemy_generation_file=$2 __alchemy_generation=$3
  __alchemy_pin_file=$4 __alchemy_pin=$5
  __alchemy_until=$6 __alchemy_offset=$(($7 - ${SECONDS-0}))
  __alchemy_told=$8
  # A token beside somebody else's account or address is worse than none.
  [ -z "$__alchemy_refused" ] || __alchemy_leave
}

# Whether a variable takes any text as it is, and can be given back: else the attempt could end the shell. What
# `declare -p` says of it is left for the next function.
__alchemy_takes() {
  __alchemy_attributes=
  # One that is not set may be declared all the same.
  if [ -n "${!1+set}" ] || \declare -p "$1" >/dev/null 2>&1; then
    __alchemy_attributes=$(\declare -p "$1" 2>/dev/null)
    __alchemy_attributes=${__alchemy_attributes#declare -}
    __alchemy_attributes=${__alchemy_attributes%% *}
  elif ((BASH_VERSINFO[0] < 5)) && [ "$(\export "$1=a B" 2>/dev/null && \printf %s "${!1}")" != 'a B' ]; then
    __alchemy_attributes=r # or another one: old versions don't tell
  fi
  case $__alchemy_attributes in
    *[!tx-]*)
      __alchemy_refused=$1
      [ -n "$__alchemy_silent" ] ||
        \printf 'alchemy: %s cannot be changed in this shell, so nothing is\n' "$1" >&2
      \return 1
      ;;
  esac
}

# Finds the place of a variable in the arrays; else false, and the place is the next one.
__alchemy_find() {
  for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
    [ "${__alchemy_names[__alchemy_at]}" != "$1" ] || \return 0
  done
  \return 1
}

# Finds the place of a variable in the arrays, or makes one; false when the person has changed it since.
__alchemy_place() {
  if __alchemy_find "$1"; then
    [ "${!1+=${!1}}" = "${__alchemy_ours[__alchemy_at]}" ] || __alchemy_stray
  else
    __alchemy_names[__alchemy_at]=$1
    __alchemy_remember "$1"
  fi
}

# Keeps what a variable is now, at its place in the arrays.
__alchemy_remember() {
  case $__alchemy_attributes in
    *x*) __alchemy_before[__alchemy_at]=x${!1+=${!1}} ;;
    *) __alchemy_before[__alchemy_at]=${!1+n=${!1}} ;;
  esac
}

__alchemy_set() {
  \local __alchemy_at __alchemy_attributes
  # To look at the attributes takes a process: not where all stays as it is.
  if [ "${!1+=${!1}}" = "=$2" ] && __alchemy_find "$1" && [ "${__alchemy_ours[__alchemy_at]}" = "=$2" ]; then
    \return 0
  fi
  __alchemy_takes "$1" && __alchemy_place "$1" || \return 0
  __alchemy_ours[__alchemy_at]="=$2"
  case $__alchemy_attributes in
    *x*) __alchemy_put "$1" "x=$2" ;;
    *) \export "$1=$2" ;;
  esac
}

__alchemy_unset() {
  \local __alchemy_at __alchemy_attributes
  [ -n "${!1+set}" ] || \return 0
  __alchemy_takes "$1" || \return 0
  case $__alchemy_attributes in *x*) ;; *) \return 0 ;; esac
  __alchemy_place "$1" || \return 0
  __alchemy_ours[__alchemy_at]=
  \unset -v "$1"
}

__alchemy_adopt() {
  __alchemy_names=() __alchemy_before=() __alchemy_ours=() __alchemy_lifted=()
  while [ -n "${1-}" ]; do
    __alchemy_names[${#__alchemy_names[@]}]=$1
    __alchemy_before[${#__alchemy_before[@]}]=
    __alchemy_ours[${#__alchemy_ours[@]}]=${!1+=${!1}}
    \shift
  done
}

__alchemy_leave() {
  \local __alchemy_at
  __alchemy_lift
  for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
    [ -n "${__alchemy_lifted[__alchemy_at]+set}" ] || __alchemy_stray || :
  done
  __alchemy_adopt ''
}

# Keeps in mind what we made a variable that is another's now. That one may be local to a function, or to a call, that
# is running: then ours comes back when it returns.
__alchemy_stray() {
  \local __alchemy_count="${#__alchemy_astray[@]}"
  __alchemy_astray[__alchemy_count]=${__alchemy_names[__alchemy_at]}
  __alchemy_astray[__alchemy_count + 1]=${__alchemy_ours[__alchemy_at]}
  __alchemy_astray[__alchemy_count + 2]=${__alchemy_before[__alchemy_at]}
  \return 1
}

# Sees to ours that have come back. While a function runs ($1 is `move`), what we have made its own is none of them.
__alchemy_recover() {
  \local __alchemy_at __alchemy_name __alchemy_stray __alchemy_text
  for ((__alchemy_stray = 0; __alchemy_stray < ${#__alchemy_astray[@]}; __alchemy_stray += 3)); do
    __alchemy_name=${__alchemy_astray[__alchemy_stray]}
    [ -n "$__alchemy_name" ] || \continue
    [ "${!__alchemy_name+=${!__alchemy_name}}" = "${__alchemy_astray[__alchemy_stray + 1]}" ] || \continue
    __alchemy_text=${__alchemy_astray[__alchemy_stray + 2]}
    for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
      [ "${__alchemy_names[__alchemy_at]}" = "$__alchemy_name" ] || \continue
      [ "${1-}" != move ] ||
        [ "${__alchemy_ours[__alchemy_at]}" != "${__alchemy_astray[__alchemy_stray + 1]}" ] || \continue 2
      __alchemy_before[__alchemy_at]=$__alchemy_text
      __alchemy_text=${__alchemy_ours[__alchemy_at]:+x${__alchemy_ours[__alchemy_at]}}
    done
    __alchemy_astray[__alchemy_stray]= # done
    __alchemy_put "$__alchemy_name" "$__alchemy_text" || :
    __alchemy_seen=${PWD-}:
  done
}

# Makes a variable what $2 says, which is written as what was before; false where it is read-only. One that has a value
# is not unset first: another one of that name, outside of a function, would take its place. Nor is it exported again,
# which would have the variable of a call (`NAME=value f`) outlive that.
__alchemy_put() {
  \local __alchemy_was="${!1+set}"
  case $2 in
    '' | x)
      \unset -v "$1" 2>/dev/null || \return 1
      [ -z "$2" ] || \export "${1?}"
      \return 0
      ;;
  esac
  \printf -v "$1" %s "${2:2}" 2>/dev/null || \return 1
  [ -n "${2:2}" ] || \eval "$1=" # of which old versions make nothing
  case $2 in
    x*) [ -n "$__alchemy_was" ] || \export "${1?}" ;;
    *) \export -n "${1?}" ;;
  esac
}

# Puts back what was there before, for as long as somebody acts who is to find that. What the person has changed stays.
__alchemy_lift() {
  \local __alchemy_at __alchemy_name
  for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
    __alchemy_name=${__alchemy_names[__alchemy_at]}
    [ -z "${__alchemy_lifted[__alchemy_at]+set}" ] || \continue
    [ "${!__alchemy_name+=${!__alchemy_name}}" = "${__alchemy_ours[__alchemy_at]}" ] || \continue
    __alchemy_put "$__alchemy_name" "${__alchemy_before[__alchemy_at]}" || \continue # made read-only since
    __alchemy_lifted[__alchemy_at]=1
  done
}

# Puts ours on top again, of whatever is there by now.
__alchemy_drop() {
  \local __alchemy_at __alchemy_attributes __alchemy_name
  for __alchemy_at in "${!__alchemy_lifted[@]}"; do
    __alchemy_name=${__alchemy_names[__alchemy_at]}
    # Here too, the attributes are looked at only where something is new.
    if [ "${!__alchemy_name+=${!__alchemy_name}}" != "${__alchemy_before[__alchemy_at]#[xn]}" ]; then
      __alchemy_takes "$__alchemy_name" || \continue
      __alchemy_remember "$__alchemy_name"
    fi
    \unset -v "$__alchemy_name" 2>/dev/null || \continue
    [ -z "${__alchemy_ours[__alchemy_at]}" ] || \export "$__alchemy_name${__alchemy_ours[__alchemy_at]}"
  done
  __alchemy_lifted=()
}

# Sets REPLY, which is the caller's, to what PROMPT_COMMAND calls a function by. The status of the last command is there
# for what follows, but no failure, for which a trap for ERR would run and `set -e` would end the shell. In a shell that
# has inherited the variable and not the function the status stays, too.
__alchemy_call() {
  REPLY="\${__alchemy_here+\"$1\"}\${__alchemy_here-\$(\\exit \"\$?\")}&&:"
}

# First, so that what renders the prompt finds all in place. Before 5.1 bash runs only the first of an array.
__alchemy_register() {
  \local IFS=' ' REPLY __alchemy_attributes=
  [ -z "${PROMPT_COMMAND+set}" ] || __alchemy_attributes=$(\declare -p PROMPT_COMMAND)
  __alchemy_attributes=${__alchemy_attributes#declare -}
  case ${__alchemy_attributes%% *} in
    *r*)
      __alchemy_is_fixed=1
      \printf 'alchemy: PROMPT_COMMAND is read-only in this shell: what changes is seen at cd, pushd and popd only\n' >&2
      \return 0
      ;;
  esac
  # shellcheck disable=SC2128,SC2178 # it is a string, or an array of which the first element is meant
  case ${PROMPT_COMMAND[*]-} in
    *__alchemy_hook*) ;;
    *)
      __alchemy_call __alchemy_hook
      if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) && [ -n "${PROMPT_COMMAND[1]+set}" ]; then
        PROMPT_COMMAND=("$REPLY" "${PROMPT_COMMAND[@]}")
      else
        PROMPT_COMMAND=$REPLY${PROMPT_COMMAND:+;$PROMPT_COMMAND}
      fi
      ;;
  esac
}
__alchemy_register

# Before direnv acts, ours is taken away: what direnv finds it puts back later, and what it puts back it puts over
# ours. After it, ours is put on top again.
__alchemy_before_direnv() {
  \local __alchemy_status="$?" __alchemy_text
  if [ -z "$__alchemy_active" ]; then
    # What was inherited from another shell has nothing below it that anybody knew; direnv's own is direnv's.
    case ${ALCHEMY_ACTIVE-} in
      '' | */.envrc:*) ;;
      *)
        __alchemy_text=$ALCHEMY_ACTIVE
        __alchemy_ask inherited
        # What comes after direnv looks again.
        __alchemy_inherited=$__alchemy_text __alchemy_seen=${PWD-}:
        ;;
    esac
  fi
  if [ "${#__alchemy_astray[@]}" -gt 0 ]; then
    __alchemy_ask recover
    __alchemy_astray=()
  fi
  [ -z "${__alchemy_names[*]+set}" ] || __alchemy_ask lift
  \return "$__alchemy_status"
}

__alchemy_hook_after_direnv() {
  \local __alchemy_status="$?"
  [ -z "${__alchemy_lifted[*]+set}" ] || __alchemy_ask drop
  # What direnv has loaded may select another profile.
  [ "${DIRENV_DIFF-}" = "$__alchemy_loaded" ] || __alchemy_seen=${PWD-}:
  __alchemy_hook || :
  \return "$__alchemy_status"
}

__alchemy_surround_direnv() {
  \local __alchemy_at __alchemy_text __alchemy_plain __alchemy_before_it __alchemy_after_it IFS=' ' REPLY
  [ -z "$__alchemy_is_fixed" ] || \return 0
  case "${PROMPT_COMMAND[*]-}" in *_direnv_hook*) ;; *) \return 0 ;; esac
  __alchemy_call __alchemy_hook && __alchemy_plain=$REPLY
  __alchemy_call __alchemy_before_direnv && __alchemy_before_it=$REPLY
  __alchemy_call __alchemy_hook_after_direnv && __alchemy_after_it=$REPLY
  for __alchemy_at in "${!PROMPT_COMMAND[@]}"; do
    __alchemy_text=${PROMPT_COMMAND[__alchemy_at]}
    case $__alchemy_text in *"$__alchemy_before_it;_direnv_hook;$__alchemy_after_it"*) \continue ;; esac
    # Ours is next to direnv's only, wherever that is.
    __alchemy_text=${__alchemy_text//"$__alchemy_before_it;"/}
    __alchemy_text=${__alchemy_text//";$__alchemy_after_it"/}
    __alchemy_text=${__alchemy_text//"$__alchemy_plain;"/}
    __alchemy_text=${__alchemy_text//";$__alchemy_plain"/}
    case $__alchemy_text in
      *_direnv_hook*)
        # Not by a substitution, where an `&` has a meaning since 5.2.
        REPLY=$__alchemy_before_it\;_direnv_hook\;$__alchemy_after_it
        __alchemy_text=${__alchemy_text%%_direnv_hook*}$REPLY${__alchemy_text#*_direnv_hook}
        ;;
      "$__alchemy_plain") __alchemy_text=: ;;
    esac
    # Without a subscript a string stays one; and an array must stay as long as it is, as bash goes through it.
    # shellcheck disable=SC2178
    if ((__alchemy_at)); then
      PROMPT_COMMAND[__alchemy_at]=$__alchemy_text
    else
      PROMPT_COMMAND=$__alchemy_text
    fi
  done
}

# direnv's line may follow, and puts its hook first unless it is there. Where something of ours is inherited, the first
# prompt is too late to go before it.
if [ -n "${ALCHEMY_ACTIVE-}" ] && [ -z "$__alchemy_active$__alchemy_is_fixed" ] && \type -P direnv >/dev/null; then
  case ${PROMPT_COMMAND[*]-} in
    *_direnv_hook*) ;;
    *)
      \declare -F _direnv_hook >/dev/null || _direnv_hook() { :; }
      # shellcheck disable=SC2128,SC2178 # as above
      PROMPT_COMMAND="_direnv_hook;$PROMPT_COMMAND"
      ;;
  esac
fi
__alchemy_surround_direnv
[ -z "$__alchemy_text" ] || \set -a
\unset -v __alchemy_text
