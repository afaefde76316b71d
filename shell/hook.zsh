# alchemy's hook for zsh, 5.1 and newer. In ~/.zshrc:  eval "$(alchemy hook zsh)"
#
# A prompt starts no process unless the directory, the pin file in force, what alchemy knows, or the clock
# says so; then one `alchemy hook-env` prints calls of the functions below. What was there before is kept in
# associative arrays, which no child can see. Names of builtins have a backslash, so that nobody's alias is
# meant. `$(<file)` reads a file without a process, and leaves newlines at its end out.

zmodload -F zsh/datetime p:EPOCHSECONDS

() {
  # Exported, our variables would be another shell's state.
  \emulate -L zsh -o no_all_export
  # What must outlive a second reading of this file.
  \typeset -g +x __alchemy_active __alchemy_told __alchemy_until
  \typeset -g +x __alchemy_generation_file __alchemy_generation __alchemy_pin_file __alchemy_pin
  \typeset -gA __alchemy_before # what a variable was: `x=value` exported, `n=value` not exported, empty not set
  \typeset -gA __alchemy_ours   # what we made it: `=value`, or empty when not set
  \typeset -g +x __alchemy_seen=
}

__alchemy_hook() {
  \local -i __alchemy_status=$?
  if [[ $PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-} != "$__alchemy_seen" ]] ||
    __alchemy_changed; then
    __alchemy_update
  fi
  [[ -o err_exit ]] || \return $__alchemy_status
}

# At once, so that `cd there && command` is right; but not in subshells, whose environment is nobody's.
__alchemy_chpwd() {
  ((ZSH_SUBSHELL)) || __alchemy_hook
}

# Whether a file that we watch is not as it was, or the time is up. What is no file any more could block.
__alchemy_changed() {
  \local text=
  [[ ! -r $__alchemy_generation_file ]] || text=$(<"$__alchemy_generation_file")
  [[ $text == "$__alchemy_generation" ]] || \return 0
  if [[ -n $__alchemy_pin_file ]]; then
    text=
    [[ ! -f $__alchemy_pin_file || ! -r $__alchemy_pin_file ]] || text=$(<"$__alchemy_pin_file")
    [[ $text == "$__alchemy_pin" ]] || \return 0
  fi
  [[ -n $__alchemy_until ]] && ((EPOCHSECONDS >= __alchemy_until))
}

__alchemy_update() {
  # The options and traps are the person's again afterwards. No secret is traced, nor shown to a DEBUG trap, and
  # nothing of ours exported.
  \emulate -L zsh -o no_xtrace -o no_verbose -o no_all_export
  \trap - DEBUG
  \local text refused=
  # What direnv finds it puts back later: that must not be what we are about to take away. Its hook puts itself first.
  if ((${precmd_functions[(I)_direnv_hook]})); then
    precmd_functions=(__alchemy_hook ${precmd_functions:#__alchemy_hook})
    chpwd_functions=(__alchemy_chpwd ${chpwd_functions:#__alchemy_chpwd})
  fi
  text=$(__ALCHEMY__ hook-env zsh --active "$__alchemy_active" --told "$__alchemy_told") || text=
  \eval "$text"
  __alchemy_seen=$PWD:${ALCHEMY_ACTIVE-}:${ALCHEMY_PROFILE-}:${CLOUDFLARE_PROFILE-}
}

__alchemy_state() {
  __alchemy_active=$1
  __alchemy_generation_file=$2 __alchemy_generation=$3
  __alchemy_pin_file=$4 __alchemy_pin=$5
  __alchemy_until=$6
  __alchemy_told=$8
  while [[ $__alchemy_generation == *$'\n' ]]; do __alchemy_generation=${__alchemy_generation%$'\n'}; done
  while [[ $__alchemy_pin == *$'\n' ]]; do __alchemy_pin=${__alchemy_pin%$'\n'}; done
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
    __alchemy_is "$1" "$__alchemy_ours[$1]"
  elif ((! ${(P)+1})); then
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
  \print -ru2 -- "alchemy: $1 cannot be changed in this shell, so nothing is"
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
  __alchemy_before=() __alchemy_ours=()
  while (($#)); do
    __alchemy_before[$1]=
    __alchemy_ours[$1]="=${(P)1}"
    \shift
  done
}

__alchemy_leave() {
  \local name
  for name in "${(@k)__alchemy_ours}"; do
    [[ ${(Pt)name} != *readonly* ]] && __alchemy_is "$name" "$__alchemy_ours[$name]" || \continue
    \unset "$name"
    case $__alchemy_before[$name] in
      x*) \export "$name=${__alchemy_before[$name]#x=}" ;;
      n*) \typeset -g "$name=${__alchemy_before[$name]#n=}" ;;
    esac
  done
  __alchemy_adopt
}

# First, so that what renders the prompt finds all in place.
() {
  \emulate -L zsh
  \typeset -ga precmd_functions chpwd_functions
  ((${precmd_functions[(I)__alchemy_hook]})) || precmd_functions=(__alchemy_hook $precmd_functions)
  ((${chpwd_functions[(I)__alchemy_chpwd]})) || chpwd_functions=(__alchemy_chpwd $chpwd_functions)
}
