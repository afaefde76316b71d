# Gives Elvish the Cloudflare credentials of the directory's profile, and takes them away on leaving. In rc.elv:
#     eval (alchemy hook elvish | slurp)
#
# Before each prompt and after `cd` it looks, without a process, whether anything has changed since `alchemy hook-env`
# ran last. Only then that runs, and what it prints says how to change the environment. What children must not see is
# in variables of Elvish, which are not the environment's.

use math
use path
use str

var __alchemy_program = (external __ALCHEMY__)
# What `hook-env` said last, and the place that this was for.
var __alchemy_state = [&active='' &told='' &place=$nil &generation='' &pin='']
# The files to watch, $nil for none, and the second of our clock from which `hook-env` must run again.
var __alchemy_generation-file __alchemy_pin-file __alchemy_due = $nil $nil $nil
# By name: [&before= what it was &ours= what we made it], $nil where it was or is not set.
var __alchemy_table = [&]
# What was another's when it was to be let go of, as in the table: by name, one list each.
var __alchemy_astray = [&]
# The changes of the environment that are still to be made, by name; $nil for none.
var __alchemy_next = $nil
# What is there now, the texts of it as one, and those of the last time.
var __alchemy_place __alchemy_generation __alchemy_pin __alchemy_now __alchemy_found __alchemy_seen = '' '' '' '' '' ''

# Writes the seconds of a clock that does not stop while the machine sleeps. No builtin of Elvish knows the time: on
# Linux the uptime says it. Elsewhere a job in the background counts, and sleeps with the machine: so there `hook-env`
# is asked once a minute, as long as something is going to expire.
fn __alchemy_clock { read-upto . </proc/uptime }
var __alchemy_patience = +inf
try { nop (__alchemy_clock) } catch {
  var seconds = $nil
  set __alchemy_patience = 60
  set __alchemy_clock~ = {
    if (not $seconds) {
      set seconds = 0
      while $true { sleep 5; set seconds = (+ $seconds 5) } &
    }
    put $seconds
  }
}

# Writes a file's text, an empty one if there is none. What is no regular file could block.
fn __alchemy_read {|file|
  if $file {
    if (path:is-regular &follow-symlink=$true $file) { try { slurp <$file } catch { put '' } } else { put '' }
  } else {
    put ''
  }
}

# Capturing an output takes longer than most of what writes one. So it is done once for all; and where two values are
# compared often, `[&$one=what][$other]` does it, which fails if the other is not the one.
fn __alchemy_look {
  set __alchemy_place = $pwd"\n"$E:ALCHEMY_ACTIVE"\n"$E:ALCHEMY_PROFILE"\n"$E:CLOUDFLARE_PROFILE
  set __alchemy_generation __alchemy_pin __alchemy_now = ({
    __alchemy_read $__alchemy_generation-file
    __alchemy_read $__alchemy_pin-file
    if $__alchemy_due { __alchemy_clock } else { put $nil }
  })
  set __alchemy_found = $__alchemy_place"\n"$__alchemy_generation"\n"$__alchemy_pin
}

# A text as JSON carries it, up to the first NUL.
fn __alchemy_carried {|text| str:split &max=2 "\x00" $text | take 1 | to-json | from-json }

# Fails unless what was found is what `hook-env` has seen.
fn __alchemy_known {
  nop [&$__alchemy_state[place]=known][$__alchemy_place]
  nop [&[$__alchemy_state[generation] $__alchemy_state[pin]]=known][[
    (__alchemy_carried $__alchemy_generation) (__alchemy_carried $__alchemy_pin)
  ]]
}

# To be done when the environment is changed; what Ctrl-C leaves of it, the next hook does.
fn __alchemy_finish {
  try { nop [&[&]=nothing][$__alchemy_next] } catch {
    for name [(keys $__alchemy_next)] {
      var value = $__alchemy_next[$name]
      if $value { set-env $name $value } else { unset-env $name }
    }
  }
  set __alchemy_place = $pwd"\n"$E:ALCHEMY_ACTIVE"\n"$E:ALCHEMY_PROFILE"\n"$E:CLOUDFLARE_PROFILE
  set __alchemy_state[place] = $__alchemy_place
  set __alchemy_seen = $__alchemy_place"\n"$__alchemy_state[generation]"\n"$__alchemy_state[pin]
  set __alchemy_next = $nil
}

fn __alchemy_change {|answer|
  var table next = $__alchemy_table [&]
  # What another shell has activated takes the place of what we hold.
  if $answer[adopt] {
    set table = [&]
    for name $answer[adopt] { try { set table[$name] = [&before=$nil &ours=(get-env $name)] } catch { } }
  }
  try {
    nop [&[$false [&] []]=nothing][[$answer[leave] $answer[set] $answer[unset]]]
  } catch {
    var wanted = $answer[set]
    for name $answer[unset] { set wanted[$name] = $nil }
    var held asked = [(keys $table)] [(keys $wanted)]
    # What is there now, by name.
    var now of = [&] $nil
    for it [({ for name [$@held $@asked] { put $name; try { get-env $name } catch { put $nil } } })] {
      if $of { set now[$of] of = $it $nil } else { set of = $it }
    }
    # Another value than ours is the person's: it stays.
    if $answer[leave] {
      for name $held {
        try {
          set next[$name] = [&$table[$name][ours]=$table[$name][before]][$now[$name]]
          set now[$name] = $next[$name]
        } catch {
          # It may be so only while what has called `cd` runs (`tmp`): then ours comes back.
          try { nop $__alchemy_astray[$name] } catch { set __alchemy_astray[$name] = $table[$name] }
        }
      }
      set table = [&]
    }
    for name $asked {
      var is = [&before=$now[$name] &ours=$now[$name]]
      try { set is = $table[$name] } catch { }
      try {
        set next[$name] = [&$is[ours]=$wanted[$name]][$now[$name]]
        set table[$name] = [&before=$is[before] &ours=$wanted[$name]]
      } catch { }
    }
  }
  var state = $answer[state]
  var generation-file pin-file due = $state[generationFile] $state[pinFile] $nil
  try { set generation-file = [&''=$nil][$generation-file] } catch { }
  try { set pin-file = [&''=$nil][$pin-file] } catch { }
  try { nop [&''=$nil][$state[until]] } catch {
    set due = (+ (__alchemy_clock) (math:min (- $state[until] $state[now]) $__alchemy_patience))
  }
  # One statement: Ctrl-C comes before it or after it.
  set __alchemy_state __alchemy_generation-file __alchemy_pin-file __alchemy_due __alchemy_table __alchemy_next = ^
    $state $generation-file $pin-file $due $table $next
  __alchemy_finish
}

# Sees to ours that have come back, when nothing of the person's runs.
fn __alchemy_recover {
  var astray = $__alchemy_astray
  set __alchemy_astray = [&]
  for name [(keys $astray)] {
    var was now = $astray[$name] $nil
    try { set now = (get-env $name) } catch { }
    if (eq $now $was[ours]) {
      var value = $was[before]
      try {
        set value = $__alchemy_table[$name][ours]
        set __alchemy_table[$name][before] = $was[before]
      } catch { }
      if $value { set-env $name $value } else { unset-env $name }
      set __alchemy_seen __alchemy_state[place] = '' $nil
    }
  }
}

fn __alchemy_run {
  # Whatever becomes of this run, the next one is when something changes again.
  set __alchemy_due = $nil
  set __alchemy_state[place] = $nil
  var active told = $__alchemy_state[active] $__alchemy_state[told]
  __alchemy_change ($__alchemy_program hook-env elvish --active $active --told $told </dev/null | from-json)
}

fn __alchemy_hook {|@args|
  # Whatever fails: a prompt shows no trace of ours.
  try {
    if $__alchemy_next { __alchemy_finish }
    # Before a prompt nobody gives us an argument.
    if (and (eq $args []) (not-eq $__alchemy_astray [&])) { __alchemy_recover }
    var run = $false
    __alchemy_look
    try { nop [&$__alchemy_seen=$nil][$__alchemy_found] } catch {
      set __alchemy_seen = $__alchemy_found
      try { __alchemy_known } catch { set run = $true }
    }
    if $__alchemy_due {
      if (>= $__alchemy_now $__alchemy_due) { set run = $true }
    }
    if $run { __alchemy_run }
  } catch { }
}

fn __alchemy_is-in {|hooks|
  or (each {|hook| try { eq $hook[def] $__alchemy_hook~[def] } catch { put $false } } $hooks)
}

# Where this is evaluated twice, the first one stays: it knows what was before.
if (not (__alchemy_is-in $edit:before-readline)) {
  set edit:before-readline = [$@edit:before-readline $__alchemy_hook~]
  set after-chdir = [$@after-chdir $__alchemy_hook~]
}
