# alchemy's hook for zsh, 5.1 and newer. In ~/.zshrc:  eval "$(alchemy hook zsh)"
#
# A prompt starts no process unless the directory, the pin file in force, what alchemy knows, or the clock
# says so; then one `alchemy hook-env` prints calls of the functions below. What was there before is kept in
# associative arrays, which no child can see. Names of builtins have a backslash, so that nobody's alias is
# meant.

zmodload -F zsh/datetime p:EPOCHSECONDS
zmodload -F zsh/system b:sysread

() {
  # Exported, our variables would be another shell's state.
  \emulate -L zsh -o no_all_export
  # What must outlive a second reading of this file.
  \typeset -g +x __alchemy_active __alchemy_told __alchemy_until
  \typeset -g +x __alchemy_generation_file __alchemy_generation __alchemy_pin_file __alchemy_pin
  \typeset -gA __alchemy_before # what a variable was: `x=value` exported, `n=value` not exported, empty not set
  \typeset -gA __alchemy_ours   # what we made it: `=value`, or empty when not set
  \typeset -gA __alchemy_lifted # 1 for each that is what it was before, until `__alchemy_drop`
  # By threes, what we made variables that were another's when we were to let go of them: name, value, before.
  \typeset -ga __alchemy_astray
  \typeset -g +x __alchemy_seen=
  \typeset -g +x __alchemy_loaded= # what direnv had loaded then
  \typeset -g +x __alchemy_inherited= # what was active, from another shell, and has been taken away before direnv acts
  \typeset -ga __alchemy_bound # the directories that are bound, each with its depth: `2:/home/acme`
  \typeset -g +x __alchemy_bound_of= # the data folder that they are from; empty when they are not known
}

# zsh keeps the status of the last command for whoever comes after a function of these lists. Such a function that
# fails would run a trap for ZERR.
__alchemy_hook() {
  if [[ $PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-} != "$__alchemy_seen" ]] ||
    __alchemy_changed; then
    __alchemy_update prompt
  fi
  \return 0
}

# At once, so that `cd there && command` is right, in a subshell, too.
__alchemy_chpwd() {
  [[ $PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-} == "$__alchemy_seen" ]] ||
    __alchemy_update move
  \return 0
}

# Whether a file that we watch is not as it was, or the time is up. What is no regular file could block, and what has
# become large is read no further than to see that it has changed.
__alchemy_changed() {
  \local text=
  [[ ! -f $__alchemy_generation_file || ! -r $__alchemy_generation_file ]] ||
    sysread -s 65537 text <"$__alchemy_generation_file" || :
  [[ $text == "$__alchemy_generation" ]] || \return 0
  if [[ -n $__alchemy_pin_file ]]; then
    text=
    [[ ! -f $__alchemy_pin_file || ! -r $__alchemy_pin_file ]] || sysread -s 65537 text <"$__alchemy_pin_file" || :
    [[ $text == "$__alchemy_pin" ]] || \return 0
  fi
  [[ -n $__alchemy_until ]] && ((EPOCHSECONDS >= __alchemy_until))
}

# $1: `prompt`, `move` or `inherited`.
__alchemy_update() {
  # The options and traps are the person's again afterwards. No secret is traced, nor shown to a DEBUG trap, and
  # nothing of ours exported.
  \emulate -L zsh -o no_xtrace -o no_verbose -o no_all_export
  \trap - DEBUG
  \local text refused= near found=${ALCHEMY_ACTIVE:-$__alchemy_inherited}
  \local -a silent offline leave
  __alchemy_drop
  __alchemy_recover $1
  [[ $1 != inherited ]] || leave=(--leave)
  if ((ZSH_SUBSHELL || ${+compstate})); then
    # In a subshell, and while a word is completed, nothing is said, and only what is stored counts.
    silent=(--silent) offline=(--offline)
  elif ((${+__p9k_instant_prompt_active})); then
    # powerlevel10k has shown a prompt before there is one: whatever is written now, it warns of.
    silent=(--silent)
    __alchemy_late later
  elif [[ $1 == move && (${+WIDGET} -eq 1 || ! -t 2) ]]; then
    silent=(--silent) # the next prompt says it
  fi
  __alchemy_surround_direnv
  if ! __alchemy_went || (($#leave)) || ! __alchemy_settle; then
    # It sees what is below ours: the person's own, or direnv's.
    text=$(
      __alchemy_lift
      \exec __ALCHEMY__ hook-env zsh --active "$__alchemy_active" --told "$__alchemy_told" --found "$found" \
        $leave $silent $offline </dev/null
    ) || text=
    if [[ $text == *__alchemy_state* ]]; then
      __alchemy_bound_of=
      \eval "$text"
    elif __alchemy_went; then
      # Nobody knows what belongs here: what belongs elsewhere does not.
      __alchemy_leave
      __alchemy_active=
    fi
  fi
  __alchemy_seen=$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}
  __alchemy_loaded=${DIRENV_DIFF-} __alchemy_inherited=
  # At a prompt no function runs whose variables could come back. Elsewhere the next prompt looks.
  [[ $1 != prompt ]] || __alchemy_astray=()
  ((! $#__alchemy_astray)) || __alchemy_seen=$PWD:
  # The prompt that comes after the completion looks for itself.
  ((! ${+compstate})) || __alchemy_seen=
}

# Says what is held back as soon as the instant prompt is over, above the prompt that is there by then.
__alchemy_late() {
  if (($# || ${+__p9k_instant_prompt_active})); then
    zmodload zsh/sched && sched +1 __alchemy_late
  elif zle -I 2>/dev/null; then
    __alchemy_hook
  fi
}

# Whether the directory is another one than when we looked last.
__alchemy_went() {
  [[ $__alchemy_seen != "$PWD":* ]]
}

# Sees to the new directory without a process, where that is certain: nothing is bound or asked for there and nothing
# is active; or, offline, nothing new has a say.
__alchemy_settle() {
  if [[ -z $__alchemy_seen$__alchemy_active${ALCHEMY_ACTIVE-} ]]; then
    # Before the first prompt there is nothing to take away from a subshell.
    (($#offline))
    \return
  fi
  [[ $__alchemy_bound_of == "${ALCHEMY_HOME-}:${HOME-}" && -z ${CLOUDFLARE_PROFILE-}${DIRENV_DIR-} &&
    ${ALCHEMY_ACTIVE-} == "$__alchemy_active" && ${ALCHEMY_PROFILE-} == "${__alchemy_active##*:}" ]] || \return
  if [[ -z $__alchemy_active ]]; then
    (($#__alchemy_ours == 0)) || \return
  else
    (($#offline)) || \return
  fi
  # Somebody's own hand has been in the bindings, or nothing tells of their changes.
  [[ ! ${__alchemy_generation_file%/*}/bindings.json -nt $__alchemy_generation_file &&
    (-n $__alchemy_generation || ! -e $__alchemy_generation_file) ]] || \return
  ! __alchemy_changed && __alchemy_look_up || \return
  if [[ -z $near ]]; then
    __alchemy_leave
    __alchemy_active= __alchemy_pin_file= __alchemy_pin= __alchemy_until=
  else
    [[ -n $__alchemy_active && $near -ef ${__alchemy_active%:*} ]]
  fi
}

# Sets `near` to the way to the nearest directory, from here upward, that is bound or has a project file; to nothing
# where there is none. False where builtins cannot tell. The way is the kernel's: what links and capitals have made of
# PWD does not count.
__alchemy_look_up() {
  \local up=. bound
  \local -i nearest=0 step
  \local -a ways
  while :; do
    ways+=($up)
    ((nearest)) || [[ ! -e $up/.alchemy.toml && ! -L $up/.alchemy.toml ]] || nearest=$#ways
    # A linked git worktree is covered by the bindings of its main one.
    (($#__alchemy_bound)) && [[ -f $up/.git ]] && \return 1
    [[ $up -ef $up/.. ]] && \break
    (($#ways < 64)) || \return
    if [[ $up == . ]]; then up=..; else up=../$up; fi
  done
  for bound in "${(@)__alchemy_bound}"; do
    step=$(($#ways - ${bound%%:*}))
    ((step > 0 && (!nearest || step < nearest))) && [[ $ways[step] -ef ${bound#*:} ]] && nearest=step
  done
  near=
  ((!nearest)) || near=$ways[nearest]
}

__alchemy_bound() {
  __alchemy_bound_of=${ALCHEMY_HOME-}:${HOME-}
  __alchemy_bound=("$@")
}

__alchemy_state() {
  __alchemy_active=$1
  __alchemy_generation_file=$2 __alchemy_generation=$3
  __alchemy_pin_file=$4 __alchemy_pin=$5
  __alchemy_until=$6
  __alchemy_told=$8
  # A token beside somebody else's account or address is worse than none.
  [[ -z $refused ]] || __alchemy_leave
}

# Whether a variable is what `=value` says; nothing says that it is not set.
__alchemy_is() {
  if ((${(P)+1})); then [[ "=${(P)1}" == "$2" ]]; else [[ -z $2 ]]; fi
}

# Makes a place for a variable, where it has none; false when the person has changed it since.
__alchemy_place() {
  if ((${+__alchemy_ours[$1]})); then
    __alchemy_is "$1" "$__alchemy_ours[$1]" && \return
    __alchemy_astray+=("$1" "$__alchemy_ours[$1]" "$__alchemy_before[$1]")
    \return 1
  else
    __alchemy_remember "$1"
  fi
}

# Keeps what a variable is now.
__alchemy_remember() {
  if ((! ${(P)+1})); then
    __alchemy_before[$1]=
  elif [[ ${(Pt)1} == *export* ]]; then
    __alchemy_before[$1]="x=${(P)1}"
  else
    __alchemy_before[$1]="n=${(P)1}"
  fi
}

# Whether a variable takes any text as it is: else what follows an attempt would not be reached.
__alchemy_takes() {
  [[ ${(Pt)1} != *(readonly|tied|special|upper|lower|left|right)* && ${(Pt)1} == (|scalar*) ]] && \return
  refused=$1
  (($#silent)) || \print -ru2 -- "alchemy: $1 cannot be changed in this shell, so nothing is"
  \return 1
}

__alchemy_set() {
  __alchemy_takes "$1" || \return 0
  __alchemy_place "$1" || \return 0
  __alchemy_ours[$1]="=$2"
  \export "$1=$2"
}

__alchemy_unset() {
  [[ ${(Pt)1} == *export* ]] && __alchemy_takes "$1" && __alchemy_place "$1" || \return 0
  __alchemy_ours[$1]=
  \unset "$1"
}

__alchemy_adopt() {
  __alchemy_before=() __alchemy_ours=() __alchemy_lifted=()
  while (($#)); do
    __alchemy_before[$1]=
    __alchemy_ours[$1]="=${(P)1}"
    \shift
  done
}

__alchemy_leave() {
  \local name
  __alchemy_lift
  # One that is another's now may be local to a function, or to a call, that is running: then ours comes back when it
  # returns.
  for name in "${(@k)__alchemy_ours}"; do
    ((${+__alchemy_lifted[$name]})) ||
      __alchemy_astray+=("$name" "$__alchemy_ours[$name]" "$__alchemy_before[$name]")
  done
  __alchemy_adopt
}

# Sees to ours that have come back. While a function runs ($1 is `move`), what we have made its own is none of them.
__alchemy_recover() {
  \emulate -L zsh -o no_xtrace -o no_verbose -o no_all_export
  \trap - DEBUG
  \local name value before
  \local -a others
  for name value before in "${(@)__alchemy_astray}"; do
    if [[ ${(Pt)name} == *readonly* ]] || ! __alchemy_is "$name" "$value" ||
      { [[ $1 == move ]] && ((${+__alchemy_ours[$name]})) && [[ $__alchemy_ours[$name] == "$value" ]] }; then
      others+=("$name" "$value" "$before")
      \continue
    fi
    if ((${+__alchemy_ours[$name]})); then
      __alchemy_before[$name]=$before
      before=${__alchemy_ours[$name]:+x$__alchemy_ours[$name]}
    fi
    __alchemy_put "$name" "$before"
    __alchemy_seen=$PWD:
  done
  __alchemy_astray=("${(@)others}")
}

# Makes a variable what $2 says, which is written as what was before.
__alchemy_put() {
  \unset "$1"
  case $2 in
    x*) \export "$1=${2#x=}" ;;
    n*) \typeset -g "$1=${2#n=}" ;;
  esac
}

# Puts back what was there before, for as long as somebody acts who is to find that. What the person has changed stays.
__alchemy_lift() {
  \emulate -L zsh -o no_xtrace -o no_verbose -o no_all_export
  \trap - DEBUG
  \local name
  for name in "${(@k)__alchemy_ours}"; do
    ((! ${+__alchemy_lifted[$name]})) || \continue
    [[ ${(Pt)name} != *readonly* ]] && __alchemy_is "$name" "$__alchemy_ours[$name]" || \continue
    __alchemy_put "$name" "$__alchemy_before[$name]"
    __alchemy_lifted[$name]=1
  done
}

# Puts ours on top again, of whatever is there by now.
__alchemy_drop() {
  \emulate -L zsh -o no_xtrace -o no_verbose -o no_all_export
  \trap - DEBUG
  \local name
  for name in "${(@k)__alchemy_lifted}"; do
    [[ ${(Pt)name} != *readonly* ]] || \continue
    __alchemy_remember "$name"
    \unset "$name"
    [[ -z $__alchemy_ours[$name] ]] || \export "$name$__alchemy_ours[$name]"
  done
  __alchemy_lifted=()
}

# Before direnv acts, ours is taken away: what direnv finds it puts back later, and what it puts back it puts over
# ours. After it, ours is put on top again.
__alchemy_before_direnv() {
  # What was inherited from another shell has nothing below it that anybody knew; direnv's own is direnv's.
  if [[ -z $__alchemy_active && -n ${ALCHEMY_ACTIVE-} && $ALCHEMY_ACTIVE != */.envrc:* ]]; then
    \local inherited=$ALCHEMY_ACTIVE
    __alchemy_update inherited
    # What comes after direnv looks again.
    __alchemy_inherited=$inherited __alchemy_seen=$PWD:
  fi
  __alchemy_recover move
  __alchemy_lift
  \return 0
}

__alchemy_after_direnv() {
  __alchemy_drop
  # What direnv has loaded may select another profile.
  [[ ${DIRENV_DIFF-} == "$__alchemy_loaded" ]] || __alchemy_seen=$PWD:
  __alchemy_hook
}

__alchemy_chpwd_after_direnv() {
  __alchemy_drop
  [[ ${DIRENV_DIFF-} == "$__alchemy_loaded" ]] || __alchemy_seen=$PWD:
  __alchemy_chpwd
}

__alchemy_surround_direnv() {
  \local list after
  \local -a others
  for list after in precmd_functions __alchemy_after_direnv chpwd_functions __alchemy_chpwd_after_direnv; do
    others=("${(@)${(@P)list}:#__alchemy_*}")
    ((${others[(I)_direnv_hook]})) || \continue
    others[${others[(i)_direnv_hook]}]=(__alchemy_before_direnv _direnv_hook $after)
    \set -A $list "${(@)others}"
  done
}

# First, so that what renders the prompt finds all in place.
() {
  \emulate -L zsh
  \typeset -ga precmd_functions chpwd_functions
  ((${precmd_functions[(I)__alchemy_(hook|after_direnv)]})) || precmd_functions=(__alchemy_hook $precmd_functions)
  ((${chpwd_functions[(I)__alchemy_chpwd*]})) || chpwd_functions=(__alchemy_chpwd $chpwd_functions)
  # direnv's line may follow, and puts its hook first unless it is there. Where something of ours is inherited, the
  # first prompt is too late to go before it. zsh passes over functions that are not there.
  if [[ -n ${ALCHEMY_ACTIVE-} && -z $__alchemy_active ]]; then
    ((${precmd_functions[(I)_direnv_hook]})) || precmd_functions=(_direnv_hook $precmd_functions)
    ((${chpwd_functions[(I)_direnv_hook]})) || chpwd_functions=(_direnv_hook $chpwd_functions)
  fi
  __alchemy_surround_direnv
}
