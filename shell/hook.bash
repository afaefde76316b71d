# alchemy's hook for bash, 3.2 and newer. In ~/.bashrc:  eval "$(alchemy hook bash)"
#
# A prompt starts no process unless the directory, the pin file in force, what alchemy knows, or the clock
# says so; then one `alchemy hook-env` prints calls of the functions below. What was there before is kept in
# arrays, which no child can see. Names of builtins have a backslash, so that nobody's alias is meant; texts are
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

# Short, and the rest in other functions: bash copies a function's body each time that it is called.
__alchemy_hook() {
  \local __alchemy_status="$?" REPLY
  if [ "$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}" != "$__alchemy_seen" ] ||
    __alchemy_changed; then
    __alchemy_ask
  fi
  # For whoever comes after us in one string with us; under `set -e` it would end the shell.
  case $- in *e*) ;; *) \return "$__alchemy_status" ;; esac
}

__alchemy_ask() {
  \local __alchemy_flags="$-"
  # No secret is traced, nor shown to a DEBUG trap, and nothing of ours exported. From 4.4 on the options come
  # back also after Ctrl-C.
  \local - 2>/dev/null || :
  { \set +axvET; } 2>/dev/null
  __alchemy_update
  case $__alchemy_flags in *a*) \set -a ;; esac
  case $__alchemy_flags in *E*) \set -E ;; esac
  case $__alchemy_flags in *T*) \set -T ;; esac
  case $__alchemy_flags in *v*) \set -v ;; esac
  case $__alchemy_flags in *x*) \set -x ;; esac
}

# A function of its own, which a trap for DEBUG does not reach after `set +T`: that would see each command.
__alchemy_update() {
  \local __alchemy_text __alchemy_refused=
  __alchemy_surround_direnv
  __alchemy_text=$(__ALCHEMY__ hook-env bash --active "$__alchemy_active" --told "$__alchemy_told") ||
    __alchemy_text=
  \eval "$__alchemy_text"
  __alchemy_seen=$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}
}

# Whether a file that we watch is not as it was, or the time is up. What is no file any more could block. Into
# REPLY, which is the caller's, `read` puts a text as it is.
__alchemy_changed() {
  REPLY=
  [[ ! -r $__alchemy_generation_file ]] ||
    \read -r -d '' <"$__alchemy_generation_file" || :
  [[ $REPLY == "$__alchemy_generation" ]] || \return 0
  if [[ -n $__alchemy_pin_file ]]; then
    REPLY=
    [[ ! -f $__alchemy_pin_file || ! -r $__alchemy_pin_file ]] ||
      \read -r -d '' <"$__alchemy_pin_file" || :
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
