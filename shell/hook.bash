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
  __alchemy_before=() # what they were: `x=value` when exported, `n=value` when not, empty when not set
  __alchemy_ours=()   # what we made them: `=value`, or empty when not set
fi
__alchemy_seen=
__alchemy_bound=()  # the directories that are bound, each with its depth: `2:/home/acme`
__alchemy_bound_of= # the data folder that they are from; empty when they are not known
__alchemy_moving=' ' # the wrappers that are running what they wrap, each between blanks

# Short, and the rest in other functions: bash copies a function's body each time that it is called.
__alchemy_hook() {
  \local __alchemy_status="$?" REPLY
  if [ "$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}" != "$__alchemy_seen" ] ||
    __alchemy_changed; then
    __alchemy_ask prompt
  fi
  # For whoever comes after us in one string with us; under `set -e` it would end the shell.
  case $- in *e*) ;; *) \return "$__alchemy_status" ;; esac
}

# Runs `cd`, or what the person has made of it, and then sees to the new directory. Plainly under `set -e`, which `||`
# would take out of the person's function; else with `||`, so that a trap for ERR runs once.
__alchemy_move() {
  \local __alchemy_moving="$__alchemy_moving$1 " __alchemy_status=0
  case $- in
    *e*)
      "$@"
      __alchemy_status=$?
      ;;
    *) "$@" || __alchemy_status=$? ;;
  esac
  [ "$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}" = "$__alchemy_seen" ] ||
    __alchemy_ask move
  \return "$__alchemy_status"
}

# $1: `prompt` or `move`.
__alchemy_ask() {
  \local __alchemy_flags="$-" REPLY
  # No secret is traced, nor shown to a DEBUG trap, and nothing of ours exported. From 4.4 on the options come
  # back also after Ctrl-C.
  \local - 2>/dev/null || :
  { \set +axvET; } 2>/dev/null
  __alchemy_update "$1"
  case $__alchemy_flags in *a*) \set -a ;; esac
  case $__alchemy_flags in *E*) \set -E ;; esac
  case $__alchemy_flags in *T*) \set -T ;; esac
  case $__alchemy_flags in *v*) \set -v ;; esac
  case $__alchemy_flags in *x*) \set -x ;; esac
}

# A function of its own, which a trap for DEBUG does not reach after `set +T`: that would see each command.
__alchemy_update() {
  \local __alchemy_text __alchemy_refused='' __alchemy_silent='' __alchemy_offline='' __alchemy_near
  # In a subshell, and while a word is completed, nothing is said, and only what is stored counts.
  if [ "${BASH_SUBSHELL-0}" -gt 0 ] || [ -n "${COMP_LINE+set}" ]; then
    __alchemy_silent=--silent __alchemy_offline=--offline
  elif [ "$1" = move ] && { [ -n "${READLINE_LINE+set}" ] || [ ! -t 2 ]; }; then
    __alchemy_silent=--silent # the next prompt says it
  fi
  if [ "$1" = prompt ] && __alchemy_went; then
    __alchemy_wrap
  fi
  if ! __alchemy_went || ! __alchemy_settle; then
    [ -n "$__alchemy_offline" ] || __alchemy_surround_direnv
    __alchemy_text=$(__ALCHEMY__ hook-env bash --active "$__alchemy_active" --told "$__alchemy_told" \
      ${__alchemy_silent:+"$__alchemy_silent"} ${__alchemy_offline:+"$__alchemy_offline"} </dev/null) ||
      __alchemy_text=
    case $__alchemy_text in
      *__alchemy_state*)
        __alchemy_bound_of=
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
  __alchemy_seen=$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}
  # The prompt that comes after the completion looks for itself.
  [ -z "${COMP_LINE+set}" ] || __alchemy_seen=
}

# Whether the directory is another one than when we looked last.
__alchemy_went() {
  [ "${__alchemy_seen:0:${#PWD}+1}" != "$PWD:" ]
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
    [ ${#__alchemy_names[@]} -eq 0 ] || \return 1
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
  \local __alchemy_count=${#__alchemy_bound[@]} __alchemy_step
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
      case \${__alchemy_moving- $__alchemy_name }:\$- in
        *' $__alchemy_name '*)
          ${__alchemy_text#*)}
          ;;
        *:*e*) __alchemy_move $__alchemy_name \${1+\"\$@\"} ;;
        *) __alchemy_move $__alchemy_name \${1+\"\$@\"} || return \$? ;;
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
  __alchemy_clock() { REPLY=${EPOCHSECONDS:-$((SECONDS + __alchemy_offset))}; }
elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 402)); then
  __alchemy_clock() { \printf -v REPLY '%(%s)T' -1; }
else
  __alchemy_clock() { REPLY=$((SECONDS + __alchemy_offset)); }
fi

__alchemy_state() {
  __alchemy_active=$1
  __alchemy_generation_file=$2 __alchemy_generation=$3
  __alchemy_pin_file=$4 __alchemy_pin=$5
  __alchemy_until=$6 __alchemy_offset=$(($7 - SECONDS))
  __alchemy_told=$8
  # A token beside somebody else's account or address is worse than none.
  [ -z "$__alchemy_refused" ] || __alchemy_leave
}

# Whether a variable takes any text as it is, and can be given back: else the attempt could end the shell. What
# `declare -p` says of it is left for the next function.
__alchemy_takes() {
  __alchemy_attributes=
  [ -n "${!1+set}" ] || \return 0
  __alchemy_attributes=$(\declare -p "$1" 2>/dev/null)
  __alchemy_attributes=${__alchemy_attributes#declare -}
  __alchemy_attributes=${__alchemy_attributes%% *}
  case $__alchemy_attributes in
    *[!tx-]*)
      __alchemy_refused=$1
      [ -n "$__alchemy_silent" ] ||
        \printf 'alchemy: %s cannot be changed in this shell, so nothing is\n' "$1" >&2
      \return 1
      ;;
  esac
}

# Finds the place of a variable in the arrays, or makes one; false when the person has changed it since.
__alchemy_place() {
  for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
    if [ "${__alchemy_names[__alchemy_at]}" = "$1" ]; then
      [ "${!1+=${!1}}" = "${__alchemy_ours[__alchemy_at]}" ]
      \return
    fi
  done
  __alchemy_names[__alchemy_at]=$1
  __alchemy_before[__alchemy_at]=
  if [ -n "${!1+set}" ]; then
    case $__alchemy_attributes in
      *x*) __alchemy_before[__alchemy_at]=x=${!1} ;;
      *) __alchemy_before[__alchemy_at]=n=${!1} ;;
    esac
  fi
}

__alchemy_set() {
  \local __alchemy_at __alchemy_attributes
  __alchemy_takes "$1" && __alchemy_place "$1" || \return 0
  __alchemy_ours[__alchemy_at]="=$2"
  \export "$1=$2"
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
  __alchemy_names=() __alchemy_before=() __alchemy_ours=()
  while [ -n "${1-}" ]; do
    __alchemy_names[${#__alchemy_names[@]}]=$1
    __alchemy_before[${#__alchemy_before[@]}]=
    __alchemy_ours[${#__alchemy_ours[@]}]=${!1+=${!1}}
    \shift
  done
}

__alchemy_leave() {
  \local __alchemy_at __alchemy_name
  for ((__alchemy_at = 0; __alchemy_at < ${#__alchemy_names[@]}; __alchemy_at++)); do
    __alchemy_name=${__alchemy_names[__alchemy_at]}
    [ "${!__alchemy_name+=${!__alchemy_name}}" = "${__alchemy_ours[__alchemy_at]}" ] || \continue
    \unset -v "$__alchemy_name" 2>/dev/null || \continue # made read-only since
    case ${__alchemy_before[__alchemy_at]} in
      x*) \export "$__alchemy_name=${__alchemy_before[__alchemy_at]:2}" ;;
      n*) \printf -v "$__alchemy_name" %s "${__alchemy_before[__alchemy_at]:2}" ;;
    esac
  done
  __alchemy_adopt ''
}

# First, so that what renders the prompt finds all in place. Before 5.1 bash runs only the first of an array.
__alchemy_register() {
  \local IFS=' '
  # shellcheck disable=SC2128,SC2178 # it is a string, or an array of which the first element is meant
  case ${PROMPT_COMMAND[*]-} in
    *__alchemy_hook*) ;;
    *)
      if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) && [ -n "${PROMPT_COMMAND[1]+set}" ]; then
        PROMPT_COMMAND=(__alchemy_hook "${PROMPT_COMMAND[@]}")
      else
        PROMPT_COMMAND=__alchemy_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}
      fi
      ;;
  esac
}
__alchemy_register

# direnv puts back later what it finds: that must not be what we are about to take away, so we come before it. And what
# it puts back must not be what we have just set, so we wait for it (`hook-env` says so) and come after it as well.
__alchemy_surround_direnv() {
  \local __alchemy_at __alchemy_text
  for __alchemy_at in "${!PROMPT_COMMAND[@]}"; do
    __alchemy_text=${PROMPT_COMMAND[__alchemy_at]}
    case $__alchemy_text in
      *"__alchemy_hook;_direnv_hook;__alchemy_hook"*) ;;
      *_direnv_hook*)
        __alchemy_text=${__alchemy_text/__alchemy_hook;_direnv_hook/_direnv_hook}
        __alchemy_text=${__alchemy_text/_direnv_hook;__alchemy_hook/_direnv_hook}
        __alchemy_text=${__alchemy_text/_direnv_hook/__alchemy_hook;_direnv_hook;__alchemy_hook}
        # Without a subscript a string stays one; and an array must stay as long as it is, as bash goes through it.
        # shellcheck disable=SC2178
        if ((__alchemy_at)); then
          PROMPT_COMMAND[__alchemy_at]=$__alchemy_text
        else
          PROMPT_COMMAND=$__alchemy_text
        fi
        ;;
    esac
  done
}
[ -z "$__alchemy_text" ] || \set -a
\unset -v __alchemy_text
