# shellcheck shell=bash
# Gives direnv the Cloudflare credentials of a profile. Once:
#     alchemy hook direnv > ~/.config/direnv/lib/use_alchemy.sh
# and then in an .envrc:
#     use alchemy                        the directory's own profile
#     use alchemy prod                   this one
#     use alchemy --profile-only prod    its name and account, no secret
#
# direnv keeps what was loaded in DIRENV_DIFF, where it can be read, and knows no time: a credential that
# runs out is loaded anew when another program, or alchemy's hook in the shell, has refreshed it.

use_alchemy() {
  local script status=0 traced=
  # `set -x` would show the values.
  if [[ $- == *x* ]]; then
    { set +x; } 2>/dev/null
    traced=x
  fi
  # It says which files to watch when it fails, too. direnv waits until 3 is closed, so nobody else may
  # hold it, and what it has on 0 is not for questions.
  script=$(__ALCHEMY__ hook-env direnv "$@" </dev/null 3>&-) || status=$?
  eval "$script"
  [[ -z $traced ]] || set -x
  return "$status"
}
