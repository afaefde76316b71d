//! `alchemy doctor` on a machine on which nothing is wrong: it has nothing to say.

use support::keyring::{BUS, Keyring};
use support::machine::Machine;
use support::{has, run};

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    if !has("direnv") {
        return;
    }
    let mut machine = Machine::new();
    let examined = machine.doctor(&[]);
    examined.is_healthy();
    assert_eq!(examined.said["facts"]["profiles"][0], "2 in file");
    let hooks = examined.said["facts"]["hooks"].to_string();
    assert!(hooks.contains("bash in ~/.bashrc:1, before direnv's"), "{hooks}");
    assert!(hooks.contains("direnv in ~/.config/direnv/lib/use_alchemy.sh"), "{hooks}");
    assert!(examined.said["facts"]["network"][0].as_str().is_some_and(|said| said.contains("answers in")));
    // There is nothing to mend, and nothing is asked of a server without a network.
    let mended = machine.doctor(&["--fix"]);
    mended.is_healthy();
    assert_eq!(mended.said["mended"].as_array().map(Vec::len), Some(0));
    let offline = machine.doctor(&["--offline"]);
    offline.is_healthy();
    assert_eq!(offline.said["facts"]["network"].as_array().map(Vec::len), Some(0));
    let words = machine.alchemy(&["doctor"]).expect_code(0);
    assert!(words.stdout.ends_with("\nnothing is wrong\n") && words.stderr.is_empty(), "{words:?}");

    // What the profile gives to a command is no fault in that command's environment.
    let mut inside = machine.command("alchemy");
    let inside = run(inside.args(["exec", "prod", "--", "alchemy", "doctor"])).expect_code(0);
    assert!(inside.stdout.ends_with("\nnothing is wrong\n"), "{}", inside.stdout);
    assert!(!inside.stdout.contains("note:"), "{}", inside.stdout);

    // Nor is a keyring with a profile in it, as long as it answers.
    let Some(keyring) = Keyring::start() else { return };
    machine.set(BUS, keyring.address());
    machine.set("ALCHEMY_STORE", "keyring");
    machine.profile("keyed", support::ACME);
    let with_keyring = machine.doctor(&[]);
    with_keyring.is_healthy();
    assert_eq!(with_keyring.said["facts"]["profiles"][0], "2 in file, 1 in keyring");
    let keyring_fact = with_keyring.said["facts"]["keyring"][0].to_string();
    assert!(keyring_fact.contains("answers in"), "{keyring_fact}");

    // Locked, it says so, and opens no dialog: nobody is asked anything.
    let mut watch = keyring.watch();
    keyring.lock();
    assert_eq!(machine.doctor(&[]).ids(), ["keyring-locked"]);
    let calls = watch.calls();
    assert!(!calls.iter().any(|call| call.contains("Prompt") || call.ends_with(".Unlock")), "{calls:?}");
    keyring.unlock();
    machine.doctor(&[]).is_healthy();
    // And so does one that is silent, within its time.
    keyring.stop();
    assert_eq!(machine.doctor(&["--offline"]).ids(), ["keyring-silent"]);
    keyring.go_on();
    machine.unset(BUS);
    assert_eq!(machine.doctor(&[]).ids(), ["keyring-missing"]);
}
