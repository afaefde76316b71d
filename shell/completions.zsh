#compdef alchemy alchemy-exec
# Completes alchemy's command lines in zsh. Printed by `alchemy completions zsh`, and a file for $fpath.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.

_alchemy() {
  local kind line
  local -a lines values
  lines=("${(@f)$(command __ALCHEMY__ __complete zsh -- \
    "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  kind=$lines[1]
  shift lines
  case $kind in
    values)
      for line in $lines; do
        line=${line//\\/\\\\}
        values+=("${${line%%$'\t'*}//:/\\:}${${(M)line:#*$'\t'*}:+:${line#*$'\t'}}")
      done
      _describe -t values 'value' values
      ;;
    directories) _files -/ ;;
    command\ *)
      shift ${kind#command } words
      (( CURRENT -= ${kind#command } ))
      _normal
      ;;
  esac
}

if [[ ${funcstack[1]} == _alchemy ]]; then # a file of $fpath, loaded at the first completion
  _alchemy "$@"
elif (( ${+functions[compdef]} )); then
  compdef _alchemy alchemy alchemy-exec
else
  print -ru2 -- "alchemy: no completion: 'autoload -Uz compinit && compinit' must come before this line"
fi
