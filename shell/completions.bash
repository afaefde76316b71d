# Completes alchemy's command lines in bash (3.2 and newer). Printed by `alchemy completions bash`.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.

__alchemy_complete() {
  local kind line list='' answer
  # Only where the values are shown and not put in one after the other may they be described.
  case ${COMP_TYPE-} in 9 | 33 | 63 | 64) list=--list ;; esac
  COMPREPLY=()
  answer=$(command __ALCHEMY__ __complete bash --split ${list:+"$list"} -- \
    "${COMP_WORDS[@]:0:COMP_CWORD}" "$2" 2>/dev/null) || return 0
  kind=${answer%%$'\n'*}
  case $kind in
    values)
      while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
      done <<<"${answer#*$'\n'}"
      [[ $answer == *$'\n'* ]] || COMPREPLY=()
      ;;
    directories)
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$2")
      ;;
    'command '*)
      if declare -F _command_offset >/dev/null; then # bash-completion
        _command_offset "${kind#command }"
      elif ((${kind#command } == COMP_CWORD)) && [[ $2 != */* ]]; then
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -c -- "$2")
      else
        compopt -o default 2>/dev/null
      fi
      ;;
  esac
}

# bash 3.2 has no compopt: there, files are what is left for a command's arguments.
if type compopt >/dev/null 2>&1; then
  complete -F __alchemy_complete alchemy alchemy-exec
else
  complete -o default -F __alchemy_complete alchemy alchemy-exec
fi
