//! `alchemy open`: the account's dashboard in the browser, without a credential.

use std::fs;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::places::Places;
use support::{ACME, BETA, run, write_program};

#[test]
fn the_page_is_that_of_the_profiles_account_and_the_browser_is_the_persons() {
    let places = Places::new();
    // Not even to be read.
    places.home.write_private("credentials/prod/cloudflare.json", "nonsense");
    let (browser, opened) = (places.path("browser"), places.path("opened"));
    mkfifo(&opened, Mode::S_IRWXU).expect("a FIFO");
    write_program(&browser, &format!("#!/bin/sh\necho \"$1\" > {}\n", opened.display()));
    let opens = |words: &[&str], page: &str| {
        let mut command = places.command("code", &[&["open"], words].concat());
        let output = run(command.env("BROWSER", &browser)).expect_code(0);
        let page = format!("https://dash.cloudflare.com/{page}");
        assert_eq!((output.stdout, output.stderr), (String::new(), format!("alchemy: opening {page}\n")));
        // The browser goes on by itself; this waits for it.
        assert_eq!(fs::read_to_string(&opened).expect("opened"), page + "\n", "{words:?}");
    };
    opens(&["prod"], ACME);
    opens(&["beta", "r2/overview"], &format!("{BETA}/r2/overview"));
    opens(&["-p", "beta", "/workers-and-pages"], &format!("{BETA}/workers-and-pages"));
    places.done("code", &["use", "prod"]);
    opens(&[], ACME);
    opens(&["workers-and-pages"], &format!("{ACME}/workers-and-pages"));
}

#[test]
fn it_can_be_printed_and_where_no_browser_is_the_address_is_said() {
    let places = Places::new();
    for option in ["--print", "--url"] {
        let output = places.run("code", &["open", option, "prod", "dns"]).expect_code(0);
        let page = format!("https://dash.cloudflare.com/{ACME}/dns\n");
        assert_eq!((output.stdout, output.stderr), (page, String::new()));
    }
    let mut command = places.command("code", &["-q", "open", "prod"]);
    // Nothing that could be a browser is found there.
    let empty = places.directory("empty");
    command.env("BROWSER", "/nonexistent").env("PATH", empty);
    let error = run(&mut command).expect_only_error(1, "no browser could be opened");
    error.expect_hint(&format!("https://dash.cloudflare.com/{ACME}"));
}

#[test]
fn what_leads_elsewhere_is_refused() {
    let places = Places::new();
    for path in ["..", "a/../../x", "//evil.example", "https://evil.example", "%2e%2e/x", "a b"] {
        places
            .run("code", &["open", "--print", "prod", path])
            .expect_only_error(2, "is no page of an account");
    }
    places.run("code", &["open", "prdo"]).expect_error(1, "there is no profile 'prdo'").expect_hint("prod");
    places.run("code", &["open", "nope", "dns"]).expect_error(1, "there is no profile 'nope'");
    places.run("code", &["open", "-p", "prod", "a", "b"]).expect_only_error(2, "too many words");
    let config = places.home.read("config.json");
    let other =
        config.replacen("\"method\"", "\"baseUrl\": \"https://api.example.com/client/v4\", \"method\"", 1);
    assert_ne!(config, other);
    places.home.write("config.json", &other);
    let refused = ["prod", "beta"].map(|name| places.run("code", &["open", "--print", name]));
    let refused: Vec<_> = refused.into_iter().filter(|output| output.code != 0).collect();
    let [refused] = <[_; 1]>::try_from(refused).expect("one of them has another API");
    refused.expect_only_error(1, "is for the API at https://api.example.com/client/v4");
}
