//! `[http]`.

use super::super::{HttpConfig, Listen, SecretFile};
use super::Fixture;
use super::problems::check;

#[test]
fn every_key_is_read() {
    let fixture =
        Fixture::with_file("[http]\nlisten = \"[::]:80\"\ntoken_file = \"token\"\nready_within = \"2h\"\n");
    let expected = HttpConfig {
        listen: Listen::At("[::]:80".parse().unwrap()),
        token_file: Some(SecretFile::at(fixture.at("token"))),
        ready_within: "2h".parse().unwrap(),
    };
    assert_eq!(fixture.loaded().http, expected);
}

#[test]
fn nobody_but_this_machine_is_listened_to_by_default() {
    let Listen::At(address) = Fixture::with_file("").loaded().http.listen else { panic!("it is off") };
    assert!(address.ip().is_loopback());
    let off = Fixture::with_file("[http]\nlisten = \"off\"\n").loaded();
    assert_eq!((off.http.listen, off.http.token_file), (Listen::Off, None));
}

#[test]
fn what_nobody_can_listen_at_is_refused() {
    for address in ["", "9464", "localhost:9464", "127.0.0.1", "127.0.0.1:99999", "Off"] {
        check(
            &format!("[http]\nlisten = \"{address}\""),
            &format!("amiwarden.toml:2:10: `{address}` is no address to listen at"),
        );
    }
    check("[http]\nready_within = \"0s\"", "amiwarden.toml:2:16: nothing would ever be ready");
    check("[http]\ntoken_file = \" \"", "amiwarden.toml:2:14: this is empty");
}
