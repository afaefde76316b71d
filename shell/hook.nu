# Gives Nushell the Cloudflare credentials of the directory's profile, and takes them away on leaving:
#     alchemy hook nu | save --force ($nu.data-dir | path join vendor autoload alchemy.nu)
#
# Before each prompt it looks, without a process, whether anything has changed since `alchemy hook-env` ran last. Only
# then that runs, and what it prints says how to change the environment. What children must not see is in a record:
# they are given text only. What may fail or runs a program is in a `def` without --env, which keeps LAST_EXIT_CODE.

$env.__alchemy_state = $env.__alchemy_state? | default {
    active: "", told: "", place: "", generationFile: "", generation: "", pinFile: "", pin: "", due: null
    # By name: {before: what it was, ours: what we made it}, null where it was or is not set.
    table: {}
}

$env.config.hooks.pre_prompt = $env.config.hooks.pre_prompt | where {|hook|
    not (($hook | describe) =~ __alchemy_hook)
} | append {
    __alchemy_hook: "told from others' by this field, when the file is read again"
    condition: {|| __alchemy_changed $env.__alchemy_state }
    code: {|| __alchemy_run }
}

def __alchemy_changed [state: record]: nothing -> bool {
    ((__alchemy_place) != $state.place
        or not (__alchemy_holds $state.generationFile $state.generation)
        or not (__alchemy_holds $state.pinFile $state.pin)
        or ($state.due != null and (date now) >= $state.due))
}

# What selects a profile and is no file.
def __alchemy_place []: nothing -> string {
    $"($env.PWD):($env.ALCHEMY_ACTIVE?):($env.ALCHEMY_PROFILE?):($env.CLOUDFLARE_PROFILE?)"
}

# Whether the text is that of the file; one that cannot be read is empty.
def __alchemy_holds [file: string, text: string]: nothing -> bool {
    $file == "" or (__alchemy_read $file) == $text
}

# The text as JSON can carry it, up to the first NUL. What is no regular file could block, and what has become large is
# read no further than to see that it has changed. (`%`, in Nushell since 0.113, means the builtin: `open` is what
# people make an alias.)
def __alchemy_read [file: string]: nothing -> string {
    try {
        if ($file | path expand | path type) != "file" { return "" }
        %open --raw $file | first 65537 | decode utf-8 | split row (char nul) | first
    } catch { "" }
}

def --env __alchemy_run [] {
    # Whatever becomes of this run, the next one is when something changes again.
    let seen = $env.__alchemy_state | merge {
        place: (__alchemy_place)
        generation: (__alchemy_read $env.__alchemy_state.generationFile)
        pin: (__alchemy_read $env.__alchemy_state.pinFile)
        due: null
    }
    $env.__alchemy_state = $seen
    let answer = __alchemy_ask $seen
    if $answer != null { __alchemy_change $seen $answer }
}

def __alchemy_ask [state: record]: nothing -> any {
    try { ^__ALCHEMY__ hook-env nu --active $state.active --told $state.told | from json } catch { null }
}

# All is worked out first and then changed at once, so that Ctrl-C leaves no half of it.
def --env __alchemy_change [seen: record, answer: record] {
    # What another shell has activated takes the place of what we hold.
    mut table = if $answer.adopt == null { $seen.table } else { {} }
    for name in ($answer.adopt | default []) {
        if $name in $env { $table = $table | upsert $name {before: null, ours: ($env | get $name)} }
    }
    mut next = {}
    if $answer.leave {
        for row in ($table | transpose name is) {
            if (__alchemy_value $row.name) == $row.is.ours { $next = $next | upsert $row.name $row.is.before }
        }
        $table = {}
    }
    for name in ($answer.set | columns | append $answer.unset) {
        let value = $answer.set | get --optional $name
        let now = if $name in $next { $next | get $name } else { __alchemy_value $name }
        let is = if $name in $table { $table | get $name } else { {before: $now, ours: $now} }
        # Another value than ours is the person's: it stays.
        if $now == $is.ours {
            $table = $table | upsert $name {before: $is.before, ours: $value}
            $next = $next | upsert $name $value
        }
    }
    let state = $answer.state
    let due = if $state.until == "" { null } else { ($state.until | into int) * 1_000_000_000 | into datetime }
    let pin = if ($state.pin | str starts-with "\u{feff}") { $state.pin | str substring 3.. } else { $state.pin }
    if ($next | is-not-empty) {
        let rows = $next | transpose name value
        hide-env --ignore-errors ...($rows | where value == null | get name)
        load-env ($rows | where value != null | reduce --fold {} {|row, all| $all | insert $row.name $row.value })
    }
    $env.__alchemy_state = {
        active: $state.active, told: $state.told, place: (__alchemy_place)
        generationFile: $state.generationFile, generation: $state.generation
        pinFile: $state.pinFile, pin: $pin, due: $due, table: $table
    }
}

def __alchemy_value [name: string]: nothing -> any {
    if $name in $env { $env | get $name }
}
