# Completes alchemy's command lines in Elvish. Printed by `alchemy completions elvish`.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.

for name [alchemy alchemy-exec] {
  set edit:completion:arg-completer[$name] = {|@words|
    use str
    var kind @values = (try {
      (external __ALCHEMY__) __complete elvish -- $@words 2>/dev/null | from-lines
    } catch _ {
      put none
    })
    if (eq $kind values) {
      for line $values {
        var value @help = (str:split "\t" $line)
        edit:complex-candidate $value &display=(str:join '  ' [$value $@help])
      }
    } elif (eq $kind directories) {
      edit:complete-filename $@words
    } elif (str:has-prefix $kind 'command ') {
      edit:complete-sudo sudo (all $words[(str:trim-prefix $kind 'command ')..])
    }
  }
}
